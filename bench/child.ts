/**
 * A server under measurement: started, waited for until it listens, ended by its process id.
 *
 * What it says goes to a file whose end is shown when it fails to start.
 */

export interface Child extends AsyncDisposable {
  pid: number;
  /** From just before the start to the first connection it took, in milliseconds. */
  startTime: number;
  stop(): Promise<void>;
}

export interface ChildOptions {
  /** Where it will listen. */
  address: { hostname: string; port: number };
  /** File for its standard output and standard error. */
  log: string;
}

/** Raises the soft limit on descriptors as a service manager would, and becomes the program. */
const SHELL = 'log=$1; shift; ulimit -n "$(ulimit -H -n)"; exec "$@" >>"$log" 2>&1 </dev/null';

/** A server that is not there after this many milliseconds has failed. */
const PATIENCE = 20_000;
/** Milliseconds between two looks; the accuracy of {@link Child.startTime}. */
const LOOK = 1;

/**
 * Starts `argv`, every step of which must `exec` so that the id is the program's own.
 * @throws {Error} when it ends or does not listen in time, with the end of its log
 */
export async function startChild(argv: string[], options: ChildOptions): Promise<Child> {
  const { address, log } = options;
  const begin = performance.now();
  const child = new Deno.Command("sh", { args: ["-c", SHELL, "sh", log, ...argv], stdin: "null" })
    .spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);

  async function stop(): Promise<void> {
    if (!ended) child.kill("SIGTERM");
    const timer = setTimeout(() => !ended && child.kill("SIGKILL"), 5_000);
    await status;
    clearTimeout(timer);
  }

  while (true) {
    try {
      (await Deno.connect(address)).close();
      const startTime = performance.now() - begin;
      return { pid: child.pid, startTime, stop, [Symbol.asyncDispose]: stop };
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
    if (ended || performance.now() - begin > PATIENCE) {
      await stop();
      const text = await Deno.readTextFile(log).catch(() => "");
      throw new Error(`${argv.join(" ")} does not listen:\n${text.slice(-2000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}
