/**
 * A reload through the master socket: the last means when a certificate cannot be swapped.
 *
 * The worker keeps serving when the new configuration does not load, so a failed reload is no
 * outage yet; the next restart would be. From 2.7 on the master answers when it is done. Before
 * that it only closes the connection, so the number of reloads in `show proc` is watched.
 */
import { delay } from "../time.ts";
import { unknownName } from "./change_memory.ts";
import { findHaproxy, type Haproxy, serves } from "./haproxy_connection.ts";
import { parseProcesses, parseReload, type Processes, quoteReply } from "./replies.ts";
import { loadedFrom } from "./same_file.ts";
import { SwapFault } from "./swap_fault.ts";
import { attempt, type SwapJob, type SwapState } from "./swap_state.ts";

/** Loading thousands of certificates takes HAProxy seconds. */
const RELOAD_MS = 60_000;

const POLL_MS = 100;

/**
 * Reloads the configuration and waits until that is done.
 * @param haproxy one behind a master socket
 * @throws {SwapFault} `reload_failed` when the configuration does not load
 */
async function reloadHaproxy(
  haproxy: Haproxy,
  options: { reloadMs?: number } = {},
): Promise<void> {
  const { reloadMs = RELOAD_MS } = options;
  const until = performance.now() + reloadMs;
  const before = await processes(haproxy);
  if (!before || !haproxy.askMaster) throw new SwapFault("refused", "it is no master socket");
  const answer = await haproxy.askMaster("reload", { deadlineMs: reloadMs });
  if (answer.kind === "reply") {
    const reply = parseReload(answer.text);
    if (reply.kind === "done") return;
    if (reply.kind === "failed") throw failed(haproxy, reply.alert);
    throw new SwapFault("refused", `to reload it said: ${quoteReply(answer.text)}`);
  }
  if (answer.kind !== "silent") throw new SwapFault(answer.kind, `reload: ${answer.detail}`);
  while (performance.now() < until) {
    const now = await processes(haproxy);
    if (now && now.reloads > before.reloads) {
      if (now.failed) throw failed(haproxy);
      return;
    }
    await delay(POLL_MS);
  }
  throw new SwapFault("timeout", `it did not finish its reload within ${reloadMs / 1000} s`);
}

/** Undefined while the master is being replaced: nobody listens for a moment then. */
async function processes(haproxy: Haproxy): Promise<Processes | undefined> {
  const answer = await haproxy.askMaster?.("show proc");
  return answer?.kind === "reply" ? parseProcesses(answer.text) : undefined;
}

function failed({ socket }: Haproxy, alert?: string): SwapFault {
  const why = alert ??
    `its log says why, and so does: haproxy -c -f FILE (master socket ${socket})`;
  return new SwapFault(
    "reload_failed",
    `it cannot load its configuration and keeps the old one: ${why}`,
  );
}

/** For a new worker to take over the sockets of the old one, in milliseconds. */
const TAKEOVER_MS = 3_000;

/** Reloads the masters of the states that need it; false when that did not help. */
export async function reloadWhereNeeded(states: SwapState[], job: SwapJob): Promise<boolean> {
  const needy = states.filter(({ needsReload }) => needsReload);
  const masters = states.filter(({ haproxy }) => haproxy?.kind === "master");
  // A worker does not report its master, so every given master is reloaded for it.
  const forWorkers = needy.some(({ haproxy }) => haproxy?.kind === "worker");
  const needed = masters.filter(({ needsReload }) => needsReload || forWorkers);
  if (needy[0] && needed.length === 0) {
    const fault = withAdvice(needy[0].needsReload!);
    return await attempt(needy[0], () => Promise.reject(fault));
  }
  for (const master of needed) {
    const reload = () => reloadHaproxy(master.haproxy!, job.timing);
    master.undo = [reload];
    if (!await attempt(master, reload)) return false;
  }
  for (const state of needy) {
    if (!await attempt(state, () => awaitCertificate(state, job))) return false;
    state.outcome = "reloaded";
  }
  return true;
}

async function awaitCertificate({ socket }: SwapState, job: SwapJob): Promise<void> {
  const until = performance.now() + TAKEOVER_MS;
  for (;;) {
    const fault = await findFault(socket, job);
    if (!fault) return;
    if (performance.now() >= until) throw fault;
    await delay(POLL_MS);
  }
}

/** Why the certificate is not served there at this moment. */
async function findFault(socket: string, job: SwapJob): Promise<SwapFault | undefined> {
  try {
    const { haproxy, inventory } = await findHaproxy(socket, job.timing);
    const loaded = await loadedFrom(haproxy, inventory.names, job);
    if (loaded.length === 0) return unknownName(job.name, inventory);
    for (const { name } of loaded) {
      if (await serves(haproxy, { name, identity: job.content })) continue;
      const message = `it was reloaded but shows another certificate as ${name}`;
      return new SwapFault("not_served", message);
    }
    return undefined;
  } catch (error) {
    if (error instanceof SwapFault) return error;
    throw error;
  }
}

function withAdvice({ kind, message }: SwapFault): SwapFault {
  const advice = kind === "unknown_name"
    ? "name it as HAProxy does (--haproxy-name)"
    : "raise its tune.bufsize (from 3.4 tune.cli.max-payload-size)";
  return new SwapFault(kind, `${message}; ${advice}, or give its master socket too, for a reload`);
}
