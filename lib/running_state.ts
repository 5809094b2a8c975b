/**
 * The state of the server that runs as a service, in a file of its runtime directory
 * (RuntimeDirectory= of its unit), from which `check-config --running` learns the result of a
 * reload.
 *
 * The server opens the file before it gives up the right to write, and rewrites it in place.
 */

import { JobError } from "./errors.ts";
import { systemReason } from "./system_reason.ts";
import { type Clock, deadline, delay, SYSTEM_CLOCK } from "./time.ts";

const NAME = "state.json";
const DEFAULT_DIRECTORY = "/run/acme-lb";

interface RunningState {
  /** How often it has read its configuration, failures included. */
  loads: number;
  /** Digest of the configuration in use. */
  config: string;
  /** Why the last reload failed and that one stayed in use; empty when it did not fail. */
  faults: string[];
}

/** Where to write; undefined outside a service. Throws what the system says. */
export async function openRunningState(): Promise<StateFile | undefined> {
  const [directory] = Deno.env.get("RUNTIME_DIRECTORY")?.split(":") ?? [];
  if (!directory) return undefined;
  const path = `${directory}/${NAME}`;
  return new StateFile(await Deno.open(path, { write: true, create: true, mode: 0o644 }));
}

/** The open file. */
class StateFile {
  #loads = 0;
  #config = "";

  constructor(private readonly file: Deno.FsFile) {}

  /** @param config digest of what is in use now; without it nothing has changed */
  async write({ config, faults = [] }: { config?: string; faults?: string[] }): Promise<void> {
    this.#config = config ?? this.#config;
    const state: RunningState = { loads: ++this.#loads, config: this.#config, faults };
    const bytes = new TextEncoder().encode(JSON.stringify(state));
    await this.file.truncate();
    await this.file.seek(0, Deno.SeekMode.Start);
    for (let sent = 0; sent < bytes.length;) sent += await this.file.write(bytes.subarray(sent));
  }
}

/** How long a server may take for a reload, and how often it is looked at meanwhile. */
const RELOAD_MS = 5_000;
const LOOK_MS = 50;

/**
 * Waits until the server that runs as a service uses the configuration with this digest. A failure
 * that is recorded already may be of an earlier reload, so the next result is waited for.
 * @throws {JobError} with the server's reasons when it does not, or when none runs
 */
export async function waitUntilInUse(config: string, clock: Clock = SYSTEM_CLOCK): Promise<void> {
  using limit = deadline(RELOAD_MS, { clock });
  let state: RunningState | undefined;
  let first: number | undefined;
  do {
    state = await readRunningState() ?? state;
    if (state?.config === config && state.faults.length === 0) return;
    first ??= state?.loads;
    if (state && state.loads !== first && state.faults.length > 0) break;
  } while (await delay(LOOK_MS, { signal: limit.signal, clock }));
  const reason = state?.faults.join("; ") || "it has not read the file since it was changed";
  throw new JobError(`the running server uses another configuration: ${reason}`);
}

/**
 * What the server has written; undefined while it is writing.
 * @throws {JobError} when no server runs as a service
 */
async function readRunningState(): Promise<RunningState | undefined> {
  const directory = Deno.env.get("RUNTIME_DIRECTORY")?.split(":")[0] ?? DEFAULT_DIRECTORY;
  const path = `${directory}/${NAME}`;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "it is missing, so acme-lb does not run as a service here; systemctl start acme-lb"
      : systemReason(error);
    throw new JobError(`cannot read ${path}: ${reason}`, { cause: error });
  }
  try {
    const { loads, config, faults } = JSON.parse(text) as Partial<RunningState>;
    const whole = typeof loads === "number" && typeof config === "string" && Array.isArray(faults);
    return whole ? { loads, config, faults: faults.map(String) } : undefined;
  } catch {
    return undefined;
  }
}
