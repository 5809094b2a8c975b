/** The openssl program, asked as a second opinion and for what our own writer cannot make. */

import { runPiped } from "../piped.ts";

export async function openssl(args: string[], stdin = ""): Promise<string> {
  const { code, stdout, stderr } = await runPiped("openssl", args, stdin);
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** A private key as `openssl genpkey` writes it. */
export function opensslKey(algorithm: string, ...options: string[]): Promise<string> {
  const parameters = options.flatMap((option) => ["-pkeyopt", option]);
  return openssl(["genpkey", "-quiet", "-algorithm", algorithm, ...parameters]);
}
