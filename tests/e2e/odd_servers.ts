/**
 * Servers that are almost balancers: each does all that one should but for one thing, which its
 * name says. A separate program, to run in a network namespace; it has no imports, and gets as JSON
 * `{"holder": [host, port], "servers": [[host, port, behaviour], ...]}`. The right text for a token
 * is asked of the holder, a real challenge port.
 */

interface Question {
  target: string;
  host: string;
  /** The right text, or undefined where nobody has the token. */
  text: string | undefined;
}

type Reply = string | "hang";

const PREFIX = "/.well-known/acme-challenge/";

function response(status: number, body = "", more = ""): string {
  return `HTTP/1.1 ${status} Word\r\nDate: ${new Date().toUTCString()}\r\n${more}` +
    `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
}

/** What acme-lb's public port would say; `alter` is what happens to the text. */
function right({ target, host, text }: Question, alter = (text: string) => text): string {
  if (!target.startsWith(PREFIX)) {
    return response(301, "", `Location: https://${host}${target}\r\n`);
  }
  return text === undefined ? response(404, "no\n") : response(200, alter(text));
}

const isPage = ({ target }: Question) => !target.startsWith(PREFIX);

const BEHAVIOURS: Record<string, (question: Question) => Reply> = {
  well: (question) => right(question),
  stranger: (question) => right({ ...question, text: undefined }),
  long: (question) => right(question, (text) => text.padEnd(128)),
  newline: (question) => right(question, (text) => `\n${text}`),
  bom: (question) => right(question, (text) => `\xef\xbb\xbf${text}`),
  redirects: () => response(302, "", "Location: https://elsewhere.example/\r\n"),
  fails: () => response(500, "oh\n"),
  forbids: () => response(403, "no\n"),
  hangs: () => "hang",
  closes: () => "",
  cut: (question) => right(question).slice(0, -10),
  answers_all: (question) => isPage(question) ? right(question) : response(200, "Hello"),
  invents: (question) => right({ ...question, text: question.text ?? "anything" }),
  loses_path: (question) =>
    isPage(question)
      ? response(301, "", `Location: https://${question.host}/\r\n`)
      : right(question),
  hsts: (question) =>
    right(question).replace("\r\n", "\r\nStrict-Transport-Security: max-age=63072000\r\n"),
  page: (question) => isPage(question) ? response(200, "<html>") : right(question),
  clock_ahead: (question) =>
    right({ ...question, text: undefined })
      .replace(/Date: .*/, `Date: ${new Date(Date.now() + 600_000).toUTCString()}`),
};

interface Spec {
  holder: [hostname: string, port: number];
  servers: [hostname: string, port: number, behaviour: string][];
}

const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

async function readHead(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(4096);
  let text = "";
  while (!text.includes("\r\n\r\n")) {
    const count = await conn.read(buffer);
    if (count === null) break;
    text += String.fromCharCode(...buffer.subarray(0, count));
  }
  return text;
}

async function textOf(
  target: string,
  [hostname, port]: Spec["holder"],
): Promise<string | undefined> {
  using conn = await Deno.connect({ hostname, port });
  await conn.write(latin1(`GET ${target} HTTP/1.0\r\nHost: holder\r\n\r\n`));
  let text = "";
  for await (const chunk of conn.readable) text += String.fromCharCode(...chunk);
  return text.startsWith("HTTP/1.1 200") ? text.slice(text.indexOf("\r\n\r\n") + 4) : undefined;
}

async function serve(conn: Deno.Conn, behave: (question: Question) => Reply, spec: Spec) {
  try {
    const head = await readHead(conn);
    const target = head.split(" ")[1] ?? "";
    const host = /^host: *(\S+)/im.exec(head)?.[1] ?? "";
    const text = target.startsWith(PREFIX) ? await textOf(target, spec.holder) : undefined;
    const reply = behave({ target, host, text });
    if (reply === "hang") await conn.read(new Uint8Array(1));
    else await conn.write(latin1(reply));
  } catch {
    // The other side has gone.
  } finally {
    try {
      conn.close();
    } catch {
      // Closed already.
    }
  }
}

if (import.meta.main) {
  const spec = JSON.parse(Deno.args[0]!) as Spec;
  for (const [hostname, port, behaviour] of spec.servers) {
    const behave = BEHAVIOURS[behaviour];
    if (!behave) throw new Error(`no server does ${behaviour}`);
    const listener = Deno.listen({ hostname, port });
    void (async () => {
      for await (const conn of listener) void serve(conn, behave, spec);
    })();
  }
  // deno-lint-ignore no-console -- the process that started this waits for this line
  console.log("ready");
}
