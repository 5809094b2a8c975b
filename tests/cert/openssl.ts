/** The openssl program, asked as a second opinion and for what our own writer cannot make. */

export async function openssl(args: string[], stdin = ""): Promise<string> {
  const child = new Deno.Command("openssl", {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** A private key as `openssl genpkey` writes it. */
export function opensslKey(algorithm: string, ...options: string[]): Promise<string> {
  const parameters = options.flatMap((option) => ["-pkeyopt", option]);
  return openssl(["genpkey", "-quiet", "-algorithm", algorithm, ...parameters]);
}
