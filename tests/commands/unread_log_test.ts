/** A server whose log nobody reads any more: it answers, says what it left out, and ends. */

import assert from "node:assert/strict";
import { ask, temporary } from "./server_process.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const ANY = "127.0.0.1:0";

/** What can be read from the pipe now, until the text has come that is waited for. */
async function readUntil(pipe: Deno.FsFile, wanted: RegExp): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(65536);
  while (!wanted.test(text)) {
    const count = await pipe.read(buffer) ?? 0;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}

Deno.test("serve answers everything while nobody reads its log, and SIGTERM ends it", async () => {
  await using dir = await temporary();
  await Deno.writeTextFile(`${dir.path}/tok`, "tok.thumb");
  const path = `${dir.path}/pipe`;
  const made = await new Deno.Command("mkfifo", { args: [path] }).output();
  assert.ok(made.success);
  // Held open for reading and writing, so that the pipe stays, full, with no reader at work.
  using pipe = await Deno.open(path, { read: true, write: true });
  const command = [Deno.execPath(), "run", "-A", "--no-check", MAIN, "serve"];
  const child = new Deno.Command("sh", {
    args: [
      ...["-c", 'pipe=$1; shift; exec "$@" 2>"$pipe"', "sh", path, ...command],
      ...["--public-listen", ANY, "--challenge-listen", ANY, "--metrics-listen", ANY],
      ...["--webroot", dir.path, "--log-level", "debug"],
    ],
    stdin: "null",
    stdout: "null",
  }).spawn();
  try {
    const text = await readUntil(pipe, /(?:event=listening[^\n]*\n[^]*){3}/);
    const port = (role: string) =>
      Number(new RegExp(`event=listening role=${role} .*:(\\d+)$`, "m").exec(text)![1]);
    // A pipe holds 64 KiB: some twenty lines fill what this leaves.
    await pipe.write(new Uint8Array(60 * 1024));
    const host = `${"h".repeat(60)}.example`;
    for (let i = 0; i < 600; i++) {
      const status = i % 3 === 0 ? 200 : i % 3 === 1 ? 404 : 301;
      const name = i % 3 === 0 ? "tok" : `none-${"y".repeat(90)}`;
      const target = i % 3 === 2 ? "/page" : `/.well-known/acme-challenge/${name}`;
      assert.deepEqual(
        (await ask(port("public"), target, { host })).status,
        status,
        `request ${i}`,
      );
    }
    const { body } = await ask(port("metrics"), "/metrics");
    assert.match(body, /^acme_lb_log_lines_suppressed_total\{reason="rate"\} \d+$/m);
    child.kill("SIGTERM");
    assert.deepEqual((await child.status).code, 0);
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // Ended already.
    }
    await child.status;
  }
});
