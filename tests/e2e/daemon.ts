/**
 * A program that runs beside a test: its output goes to a file, it is signalled and ended by its
 * process id, and a test that fails shows the end of the file.
 */

import { SEARCH_PATH } from "./requirements.ts";

/** Nothing of the developer's environment (proxies, CA bundles, HOME) reaches a program under test. */
export const BARE_ENVIRONMENT: Record<string, string> = {
  PATH: SEARCH_PATH,
  LANG: "C.UTF-8",
  HOME: "/nonexistent",
};

export interface Daemon {
  pid: number;
  /** File that takes standard output and standard error. */
  log: string;
  /** What was logged since this start. */
  output(): Promise<string>;
  signal(signal: Deno.Signal): void;
  /** SIGTERM, and SIGKILL for one that is still there after `patience` ms (10 s). */
  stop(patience?: number): Promise<Deno.CommandStatus>;
  /** Settled when the process is gone. */
  status: Promise<Deno.CommandStatus>;
}

/** Starts `argv` (whose steps must `exec`, so that the id is the program's own). */
export async function startDaemon(
  argv: string[],
  options: { log: string; env?: Record<string, string> },
): Promise<Daemon> {
  const { log, env = {} } = options;
  await Deno.writeTextFile(log, "", { append: true });
  const start = (await Deno.stat(log)).size;
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1 </dev/null', "sh", log, ...argv],
    clearEnv: true,
    env: { ...BARE_ENVIRONMENT, ...env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();

  return {
    pid: child.pid,
    log,
    status: child.status,
    output: async () => new TextDecoder().decode((await Deno.readFile(log)).subarray(start)),
    signal: (signal) => child.kill(signal),
    async stop(patience = 10_000) {
      tryKill(child, "SIGTERM");
      const timer = setTimeout(() => tryKill(child, "SIGKILL"), patience);
      const status = await child.status;
      clearTimeout(timer);
      return status;
    },
  };
}

/** Waits until the daemon has logged what matches; fails when it ends or stays silent. */
export async function logged(
  daemon: Daemon,
  pattern: RegExp,
  options: { deadline?: number } = {},
): Promise<RegExpExecArray> {
  const { deadline = 300_000 } = options;
  let ended = false;
  daemon.status.then(() => ended = true);
  return await eventually(async () => {
    const gone = ended;
    const match = pattern.exec(await daemon.output());
    if (!match && gone) {
      throw new Error(`ended before it logged ${pattern}:\n${await tail(daemon.log)}`);
    }
    return match ?? undefined;
  }, { what: () => `${pattern} in ${daemon.log}`, deadline });
}

/**
 * Waits for the `nth` line of a log that matches. What a server logs of a request may be in its log
 * only after the client has the answer.
 */
export async function lineIn(log: string, pattern: RegExp, nth = 1): Promise<string> {
  return await eventually(async () => {
    const lines = (await Deno.readTextFile(log)).split("\n");
    return lines.filter((line) => pattern.test(line))[nth - 1];
  }, { what: () => `line ${nth} like ${pattern} in ${log}`, deadline: 60_000 });
}

/**
 * Asks `attempt` again after 20 ms, and less often the longer it takes, until it gives a value; for
 * waiting, never for measuring.
 */
export async function eventually<T>(
  attempt: () => Promise<T | undefined> | T | undefined,
  options: { what: () => string; deadline: number },
): Promise<T> {
  const end = Date.now() + options.deadline;
  for (let pause = 20;; pause = Math.min(pause * 1.5, 200)) {
    const value = await attempt();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`waited ${options.deadline} ms for ${options.what()}`);
    await delay(pause);
  }
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The last lines of a log, for a failure's message. */
export async function tail(log: string, lines = 80): Promise<string> {
  const text = await Deno.readTextFile(log).catch(() => "(no log)\n");
  // What a test repeats on purpose must not push out what happened meanwhile.
  const told = text.split("\n").filter((line) => !/event=(reloaded|warning) /.test(`${line} `));
  return `--- ${log}\n${told.slice(-lines - 1).join("\n")}`;
}

function tryKill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It was faster.
  }
}
