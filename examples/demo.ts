/**
 * `./install.sh --demo`: three balancers on this machine, each a process of dist/acme-lb with a
 * webroot of its own, and the "Test requests" of the article that acme-lb grew out of, played
 * against them. Every request and answer is printed whole. Exit code 1 when an answer is wrong.
 *
 * The balancers end with the demo, whatever ends it; `--keep` leaves them running.
 */

import { ensureExecutable } from "../compile.ts";
import { endFleet, type Fleet, startFleet } from "./demo_fleet.ts";

const PREFIX = "/.well-known/acme-challenge/";
const ANSWER_WITHIN = 10_000;

/** A file in one balancer's webroot, a request to another, and what has to come back. */
interface Scene {
  title: string;
  put?: { on: number; name: string; text: string };
  ask: { through: number; host?: string; path: string };
  right: (answer: Answer) => boolean;
  wanted: string;
}

interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

function scenes(): Scene[] {
  const token = base64url(32);
  const keyAuthorization = `${token}.${base64url(32)}`;
  return [
    {
      title: "A file on LB0, asked for through LB2",
      put: { on: 0, name: "lb0", text: "Hello World\n" },
      ask: { through: 2, path: `${PREFIX}lb0` },
      right: ({ status, body }) => status === 200 && body === "Hello World\n",
      wanted: "200 and Hello World",
    },
    {
      title: "A file that is on none of them",
      ask: { through: 2, path: `${PREFIX}foobar` },
      right: ({ status }) => status === 404,
      wanted: "404",
    },
    {
      title:
        "A challenge as an ACME client leaves it on LB1, asked for through LB0 as the CA would",
      put: { on: 1, name: token, text: keyAuthorization },
      ask: { through: 0, host: "service.example", path: PREFIX + token },
      right: ({ status, body }) => status === 200 && body === keyAuthorization,
      wanted: "200 and exactly the key authorization",
    },
    {
      title: "Any other page",
      ask: { through: 1, host: "service.example", path: "/some/page?with=query" },
      right: ({ status, headers }) =>
        status === 301 &&
        headers.get("location") === "https://service.example/some/page?with=query",
      wanted: "301 to the same page over HTTPS",
    },
  ];
}

/** Plays every scene; returns how many answers were wrong. */
async function play({ balancers }: Fleet, signal: AbortSignal): Promise<number> {
  let wrong = 0;
  for (const { title, put, ask, right, wanted } of scenes()) {
    print(`\n== ${title}\n\n`);
    if (put) {
      const { name, webroot } = balancers[put.on]!;
      await Deno.writeTextFile(`${webroot}/${put.name}`, put.text);
      print(`root@${name} $ printf '${put.text.replace("\n", "\\n")}' >${webroot}/${put.name}\n`);
    }
    const address = balancers[ask.through]!.publicAddress;
    print(`user@local $ ${curl(address, ask)}\n\n`);
    const request = `GET ${ask.path} HTTP/1.1\r\nHost: ${
      ask.host ?? address
    }\r\nConnection: close\r\n\r\n`;
    print(quoted("> ", request));
    const answer = await send(request, { address, signal });
    print(quoted("< ", answer));
    const ok = right(parsed(answer));
    if (!ok) wrong++;
    print(ok ? `\nright: ${wanted}\n` : `\nWRONG: this should have been ${wanted}\n`);
  }
  return wrong;
}

function curl(address: string, { host, path }: Scene["ask"]): string {
  return `curl -i ${host ? `-H 'Host: ${host}' ` : ""}'http://${address}${path}'`;
}

/** Sends a request and returns all that comes back until the other side closes. */
async function send(
  request: string,
  { address, signal }: { address: string; signal: AbortSignal },
): Promise<string> {
  const [hostname, port] = address.split(":");
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN)]);
  const connection = await Deno.connect({ hostname, port: Number(port), signal: limit });
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(request));
  let answer = "";
  for await (
    const text of connection.readable.pipeThrough(new TextDecoderStream(), { signal: limit })
  ) answer += text;
  return answer;
}

function parsed(answer: string): Answer {
  const end = answer.indexOf("\r\n\r\n");
  const [statusLine = "", ...fields] = answer.slice(0, end).split("\r\n");
  const headers = new Headers();
  for (const field of fields) {
    const colon = field.indexOf(":");
    headers.append(field.slice(0, colon), field.slice(colon + 1).trim());
  }
  return { status: Number(statusLine.split(" ")[1]), headers, body: answer.slice(end + 4) };
}

/** The text with a mark before each of its lines, as curl -v shows what goes and comes. */
function quoted(mark: string, text: string): string {
  const lines = text.replace(/\r?\n$/, "").split(/\r?\n/);
  return lines.map((line) => (mark + line).trimEnd() + "\n").join("");
}

function introduce({ balancers }: Fleet): void {
  print("Three balancers, each its own process with its own webroot:\n\n");
  for (const { name, publicAddress, challengeAddress, process } of balancers) {
    print(
      `  ${name}  public http://${publicAddress}  challenge ${challengeAddress}  pid ${process.pid}\n`,
    );
  }
}

function explainKept({ balancers, folder }: Fleet): void {
  print("\nThe balancers keep running, the files are still there:\n\n");
  for (const { publicAddress } of balancers) {
    print(`  ${curl(publicAddress, { through: 0, path: `${PREFIX}lb0` })}\n`);
  }
  print(`  cat ${folder}/lb2.log\n\nTo stop them:\n\n`);
  print(`  kill ${balancers.map(({ process }) => process.pid).join(" ")}; rm -r ${folder}\n`);
}

function base64url(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** The exit code. */
async function demo({ keep }: { keep: boolean }): Promise<number> {
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
  }
  const executable = await ensureExecutable();
  const fleet = await startFleet(executable, interrupted.signal);
  let kept = false;
  try {
    introduce(fleet);
    const wrong = await play(fleet, interrupted.signal);
    print(wrong === 0 ? "\nAll answers are right.\n" : `\nWrong answers: ${wrong}\n`);
    kept = keep;
    if (kept) explainKept(fleet);
    return wrong === 0 ? 0 : 1;
  } finally {
    if (!kept) await endFleet(fleet);
  }
}

if (import.meta.main) {
  let code = 1;
  try {
    code = await demo({ keep: Deno.args.includes("--keep") });
  } catch (error) {
    Deno.stderr.writeSync(new TextEncoder().encode(`demo: ${(error as Error).message}\n`));
  }
  // Balancers that are kept are children still; the demo does not wait for them.
  Deno.exit(code);
}
