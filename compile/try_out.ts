/**
 * Tries a new executable before it takes the place of a good one: `deno compile` embeds into any
 * file that it is given as a base, and says that all is well.
 */

import denoJson from "../deno.json" with { type: "json" };

/** For each of the three steps, in milliseconds. */
const PATIENCE_MS = 60_000;

/** Runs the version, check-config, and one request; why it does not work, or undefined. */
export async function tryOut(executable: string): Promise<string | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "acme-lb-try-" });
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, "peers: []\n");
    await Deno.writeTextFile(`${folder}/token`, "token.thumbprint");
    const said = await output(executable, ["--version"]);
    if (!said.startsWith(`acme-lb ${denoJson.version} `)) {
      throw new Error(`its --version says ${JSON.stringify(said.slice(0, 80))}`);
    }
    await output(executable, ["check-config", "--config", `${folder}/config.yaml`]);
    await ask(executable, folder);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `what deno compile made does not work here: ${reason.split("\n")[0]}`;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function output(executable: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(executable, {
    args,
    stdin: "null",
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).output();
  const text = new TextDecoder();
  if (code === 0) return text.decode(stdout);
  throw new Error(`${args[0]} ends with ${code}: ${text.decode(stderr)}`);
}

/** Asks the challenge server for a token on a free port of loopback. */
async function ask(executable: string, folder: string): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const flags = ["--config", `${folder}/config.yaml`, "--webroot", folder];
  await using server = new Deno.Command(executable, {
    args: ["challenge-server", "--listen", "127.0.0.1:0", ...flags],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal,
  }).spawn();
  let log = "";
  const decoder = new TextDecoder();
  for await (const chunk of server.stderr.values({ preventCancel: true })) {
    log += decoder.decode(chunk, { stream: true });
    const [, port] = /event=listening .*address=127\.0\.0\.1:(\d+)\s/.exec(log) ?? [];
    if (port === undefined) continue;
    // No fetch: it would ask the proxy that the environment names.
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port), signal });
    const request = "GET /.well-known/acme-challenge/token HTTP/1.0\r\nHost: localhost\r\n\r\n";
    await connection.write(new TextEncoder().encode(request));
    const answer = await new Response(connection.readable).text();
    if (answer.endsWith("\r\n\r\ntoken.thumbprint")) return;
    throw new Error(`a request for a token is answered ${JSON.stringify(answer.slice(0, 80))}`);
  }
  throw new Error(`challenge-server does not listen: ${log}`);
}
