/**
 * Ten defences of docs/security.md, each removed from a copy of the source: the test that the page
 * names must fail then. A test that passes without its defence shows nothing.
 */

import assert from "node:assert/strict";
import { temporaryFolder } from "./temporary_folder.ts";

const ROOT = new URL("..", import.meta.url).pathname;
/** What tests outside tests/e2e read of the checkout. */
const PARTS = ["lib", "tests", "compile", "main.ts", "compile.ts", "deno.json", "deno.lock"];
/** Without its defence a test may wait for what never comes. */
const DEADLINE_MS = 60_000;

interface Defence {
  what: string;
  file: string;
  /** Stands once in the file. */
  code: string;
  without: string;
  test: string;
  /** A part of the test's name. */
  name: string;
  /** The test is skipped for other users. */
  root?: boolean;
}

const DEFENCES: Defence[] = [
  {
    what: "a budget of log lines for each event",
    file: "lib/log.ts",
    code: "if (!granted) {",
    without: "if (!granted && false) {",
    test: "tests/log_test.ts",
    name: "gives each event a budget",
  },
  {
    what: "a log that nobody reads waits in a bounded queue",
    file: "lib/line_queue.ts",
    code: "if (waiting + line.length > maxWaiting) return false;",
    without: "",
    test: "tests/line_queue_test.ts",
    name: "never waits, bounds what waits",
  },
  {
    what: "under a flood the source that holds most makes room",
    file: "lib/http/admission.ts",
    code: "if (largest && largest.size > Math.max(1, small)) return largest.waiting.first;",
    without: "",
    test: "tests/http/admission_test.ts",
    name: "a new connection displaces the longest waiting one",
  },
  {
    what: "contradictory framing is refused",
    file: "lib/http/request_fields.ts",
    code: 'return clear && minor === 1 ? Infinity : refused(400, "bad_framing");',
    without: "return Infinity;",
    test: "tests/http/golden_framing_test.ts",
    name: "each well or badly framed request",
  },
  {
    what: "Location is percent-encoded",
    file: "lib/http/redirect_handler.ts",
    code: "if (ALLOWED.test(target)) return target;",
    without: "if (target) return target;",
    test: "tests/http/golden_targets_test.ts",
    name: "the public port gives each target its status",
  },
  {
    what: "a peer's text is a key authorization, or not accepted",
    file: "lib/http/peer_answer.ts",
    code: "/^[A-Za-z0-9_-]{43}(?:\\r?\\n)?$/.test(text.slice(token.length + 1))",
    without: "text.length > 0",
    test: "tests/http/peer_answer_test.ts",
    name: "accepts a key authorization for the CA's token",
  },
  {
    what: "no blank line is sent to HAProxy's runtime API",
    file: "lib/haproxy/payload.ts",
    code: 'throw refuse("is blank, which would end the payload");',
    without: "continue;",
    test: "tests/haproxy/payload_test.ts",
    name: "never contains a line that HAProxy could execute",
  },
  {
    what: "no link is followed that another user could have placed",
    file: "lib/trusted_path.ts",
    code: "if (fixed && isOwn(link.uid) && isClosed(directories.at(-1)!)) return;",
    without: "if (fixed || link) return;",
    test: "tests/alone/planted_test.ts",
    name: "a planted link is replaced or refused",
    root: true,
  },
  {
    what: "no key goes to a socket that another user could have placed",
    file: "lib/trusted_socket.ts",
    code: "const put = (directory.mode & 0o022) === 0 || mayOwn(info.uid);",
    without: "const put = true;",
    test: "tests/trusted_socket_test.ts",
    name: "a key goes to no socket that another user could have put there",
    root: true,
  },
  {
    what: "what is no token file is absent",
    file: "lib/http/token_file.ts",
    code: 'if (held.nlink > 1) return { fault: "hard_link" };',
    without: "",
    test: "tests/http/token_file_test.ts",
    name: "counts links, pipes, devices and the like as absent",
  },
];

for (const defence of DEFENCES) {
  const { what, root = false, test, name } = defence;
  const ignore = root && Deno.uid() !== 0;
  // deno-lint-ignore no-console -- the reason belongs beside the test's "ignored" line
  if (ignore) console.error(`skipped: without its defence: ${what}: the test needs root`);
  Deno.test({
    name: `${test} fails without its defence: ${what}`,
    ignore,
    async fn() {
      await using folder = await temporaryFolder();
      const checkout = folder.path;
      const parts = PARTS.map((part) => `${ROOT}${part}`);
      const { code } = await run("cp", ["--recursive", ...parts, checkout], checkout);
      assert.equal(code, 0);
      await remove(`${checkout}/${defence.file}`, defence);
      const args = ["test", "-A", "--no-check", `--filter=${name}`, test];
      const { code: failed, output } = await run(Deno.execPath(), args, checkout);
      assert.notEqual(failed, 0, `it passes all the same:\n${output}`);
      // Neither a syntax error nor a missing file: the test itself failed, or did not end.
      assert.ok(failed !== 1 || /\.\.\. .*FAILED/.test(output), output);
    },
  });
}

async function remove(path: string, { code, without }: Defence): Promise<void> {
  const source = await Deno.readTextFile(path);
  assert.equal(source.split(code).length, 2, `${path} does not hold once: ${code}`);
  await Deno.writeTextFile(path, source.replace(code, () => without));
}

async function run(program: string, args: string[], cwd: string) {
  const command = new Deno.Command(program, {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}
