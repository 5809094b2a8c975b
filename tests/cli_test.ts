/**
 * The command line: wrong arguments, with their code and their one line, and the help.
 * Processes run from source with the very rights of the executable.
 */

import assert from "node:assert/strict";
import { permissionFlags } from "../compile/permissions.ts";
import { PERMISSIONS } from "../compile/run_flags.ts";
import { checked, runCommandLine, type Subcommand } from "../lib/cli.ts";
import { ConfigError, JobError, UsageError } from "../lib/errors.ts";

const ROOT = new URL("..", import.meta.url).pathname;
/** Where the runtime keeps what it fetched, which acme-lb itself may not read. */
const RUNTIME = Object.fromEntries(
  Object.entries(Deno.env.toObject()).filter(([name]) => ["HOME", "DENO_DIR"].includes(name)),
);
const ANY = "127.0.0.1:0";
const RIGHTS = permissionFlags(PERMISSIONS);

/** Runs acme-lb with nothing of the caller's environment. */
async function acmeLb(
  args: string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", ...RIGHTS, `${ROOT}main.ts`, ...args],
    clearEnv: true,
    env: RUNTIME,
    stdin: "null",
    // A server that starts in spite of its mistake.
    signal: AbortSignal.timeout(20_000),
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("acme-lb refuses a wrong command line with 64 and one line that says what to do", async () => {
  const listen = "[IPv6]:port or IPv4:port, such as [::]:80 for every address";
  const table: [string[], string][] = [
    [[], "no command given; see acme-lb --help"],
    [["sevre"], "unknown command 'sevre' (Did you mean serve?); see acme-lb --help"],
    [["toString"], "unknown command 'toString'; see acme-lb --help"],
    [
      ["--log-levl", "serve"],
      "unknown option '--log-levl' (Did you mean --log-level?); see acme-lb serve --help",
    ],
    [
      ["--log-levl", "x"],
      "unknown option '--log-levl' (Did you mean --log-level?); see acme-lb --help",
    ],
    [
      ["serve", "--pear", "x"],
      "unknown option '--pear' (Did you mean --peer?); see acme-lb serve --help",
    ],
    [["redirect", "--webroot", "/x"], "unknown option '--webroot'; see acme-lb redirect --help"],
    [
      ["serve", "now"],
      "too many arguments for 'serve'. Expected 0 arguments but got 1: now; see acme-lb serve --help",
    ],
    [["serve", "--peer"], "option '--peer <address>' argument missing; see acme-lb serve --help"],
    [
      ["serve", "--public-listen", "*:80"],
      `option '--public-listen <address>' argument '*:80' is invalid: expected ${listen}; see acme-lb serve --help`,
    ],
    [
      ["proxy", "--listen", "localhost:80"],
      `option '--listen <address>' argument 'localhost:80' is invalid: "localhost" is not an IPv4 address; see acme-lb proxy --help`,
    ],
    [
      ["serve", "--webroot", "acme"],
      "option '--webroot <dir>' argument 'acme' is invalid: expected an absolute path; see acme-lb serve --help",
    ],
    [
      ["serve", "--public-listen", ANY, "--https-port", "0"],
      "option '--https-port <port>' argument '0' is invalid: a redirect cannot lead to port 0; see acme-lb serve --help",
    ],
    [
      ["serve", "--peer", "lb1:31080"],
      "option '--peer <address>' argument 'lb1:31080' is invalid: expected an address; for a host name write dns:lb1:31080; see acme-lb serve --help",
    ],
    [
      ["check-config", "--log-format", "xml"],
      "option '--log-format <format>' argument 'xml' is invalid: allowed choices are text, json; see acme-lb check-config --help",
    ],
    [["serve\n\x1b[31m"], "unknown command 'serve \\x1b[31m'; see acme-lb --help"],
  ];
  for (const [args, expected] of table) {
    const result = await acmeLb(args);
    assert.deepEqual(
      result,
      { code: 64, stdout: "", stderr: `acme-lb: ${expected}\n` },
      args.join(" "),
    );
  }
});

/** The flags of each command, beside those that all have. */
const FLAGS: Record<string, string[]> = {
  "serve": [
    "--public-listen",
    "--challenge-listen",
    "--metrics-listen",
    "--webroot",
    "--peer",
    "--https-port",
  ],
  "challenge-server": ["--listen", "--webroot", "--peer"],
  "proxy": ["--listen", "--webroot", "--peer"],
  "redirect": ["--listen", "--https-port"],
  "check-config": ["--running"],
  "generate": [],
};
const GLOBAL = ["--config", "--log-format", "--log-level", "--version", "--help"];

Deno.test("--help of each command lists its flags and an example, in plain text, and exits 0", async () => {
  const { stdout: overview } = await acmeLb(["--help"]);
  for (const [command, flags] of Object.entries(FLAGS)) {
    assert.match(overview, new RegExp(`^ +${command} {2,}\\S`, "m"));
    const { code, stdout, stderr } = await acmeLb([command, "--help"]);
    assert.deepEqual([code, stderr], [0, ""], command);
    const told = [...stdout.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map((found) => found[1]!);
    assert.deepEqual(told.toSorted(), [...flags, ...GLOBAL].toSorted(), command);
    assert.match(stdout, new RegExp(`^Examples:\\n  acme-lb ${command}`, "m"));
    assert.ok(!stdout.includes("\x1b"), command);
    assert.ok(stdout.split("\n").every((line) => line.length <= 100), command);
  }
});

Deno.test("help into a pipe that nobody reads is no error", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", ...RIGHTS, `${ROOT}main.ts`, "serve", "--help"],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stdout.cancel();
  const [{ code }, stderr] = await Promise.all([child.status, new Response(child.stderr).text()]);
  assert.deepEqual([code, stderr], [0, ""]);
});

Deno.test("output that cannot be written is an error in the operator's words", async () => {
  const shell = 'exec "$@" > /dev/full';
  const { code, stderr } = await new Deno.Command("sh", {
    args: ["-c", shell, "sh", Deno.execPath(), "run", "--no-check", "--no-prompt", ...RIGHTS]
      .concat(`${ROOT}main.ts`, "serve", "--help"),
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stderr);
  assert.deepEqual(
    [code, text],
    [
      1,
      "acme-lb: cannot write to standard output: no space left on its file system (ENOSPC)\n",
    ],
  );
});

Deno.test("standard input that cannot be read is an error in the operator's words", async () => {
  const shell = 'exec "$@" < /';
  const { code, stderr } = await new Deno.Command("sh", {
    args: ["-c", shell, "sh", Deno.execPath(), "run", "--no-check", "--no-prompt", ...RIGHTS]
      .concat(`${ROOT}main.ts`, "challenge", "put", "tok", "--webroot", "/nonexistent"),
  }).output();
  const text = new TextDecoder().decode(stderr);
  assert.deepEqual(
    [code, text],
    [1, "acme-lb: cannot read standard input: it is a directory (EISDIR)\n"],
  );
});

/** A command line of one command, `work`, that takes `--count` and runs `run`. */
function tool(run: Subcommand["run"], failureExit?: number) {
  const work: Subcommand = {
    configure: (command) =>
      void command.argument("[file]").option("--count <n>", "how many", checked(Number)),
    run,
  };
  const commands = { work: { summary: "works", load: () => Promise.resolve(work), failureExit } };
  return (...args: string[]) =>
    runCommandLine(args, { name: "tool", description: "", version: "1", commands });
}

Deno.test("runCommandLine() returns the command's code, or its error with the code that it means", async () => {
  const error = (thrown: Error) => tool(() => Promise.reject(thrown))("work");
  assert.deepEqual(await tool(() => Promise.resolve(2))("work"), { code: 2 });
  for (
    const [thrown, code] of [
      [new UsageError("u"), 64],
      [new JobError("j"), 1],
      [new ConfigError(["c"]), 78],
      [new TypeError("a defect"), 1],
    ] as const
  ) {
    assert.deepEqual(await error(thrown), { code, error: thrown });
  }
});

Deno.test("runCommandLine() gives a command's own code for all failures, and 64 for usage errors of others", async () => {
  for (const thrown of [new UsageError("u"), new JobError("j"), new ConfigError([]), new Error()]) {
    const { code } = await tool(() => Promise.reject(thrown), 3)("work");
    assert.deepEqual(code, 3, thrown.name);
  }
  const run = tool(() => Promise.resolve(0), 3);
  assert.deepEqual((await run("work", "--bogus")).code, 3);
  assert.deepEqual((await run("work", "a", "b")).code, 3);
  assert.deepEqual((await run("--bogus", "work")).code, 3);
  assert.deepEqual((await run("walk")).code, 64);
});

Deno.test("runCommandLine() passes flags before and after the command, and operands", async () => {
  const seen: unknown[] = [];
  const run = tool((options, operands) => {
    seen.push([options, operands]);
    return Promise.resolve(0);
  });
  const defaults = { logFormat: "text", logLevel: "info" };
  await run("--config", "work", "work", "file");
  await run("work", "--count", "3", "--config=/x", "--log-level", "debug");
  await run("--log-format", "json", "work", "--", "--count");
  assert.deepEqual(seen, [
    [{ ...defaults, config: "work" }, ["file"]],
    [{ ...defaults, config: "/x", count: 3, logLevel: "debug" }, []],
    [{ ...defaults, logFormat: "json" }, ["--count"]],
  ]);
});
