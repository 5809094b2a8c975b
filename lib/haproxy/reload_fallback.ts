/**
 * What is left for a HAProxy that cannot take the certificate in memory, because it does not know
 * the name or the certificate is too long: a reload, if there is a master socket to ask for it.
 */
import { knownName, unknownName } from "./change_memory.ts";
import { findHaproxy, serves } from "./process.ts";
import { reloadHaproxy } from "./reload_haproxy.ts";
import { attempt, type Station, type SwapJob } from "./station.ts";
import { SwapFault } from "./swap_fault.ts";

/** For a new worker to take over the sockets of the old one, in milliseconds. */
const TAKEOVER_MS = 3_000;

const POLL_MS = 100;

/** Reloads the masters behind the stations that need it; false when that did not help. */
export async function reloadWhereNeeded(stations: Station[], job: SwapJob): Promise<boolean> {
  const needy = stations.filter(({ needsReload }) => needsReload);
  const masters = stations.filter(({ haproxy }) => haproxy?.kind === "master");
  // A worker does not tell whose it is, so for its sake every master given is reloaded.
  const forWorkers = needy.some(({ haproxy }) => haproxy?.kind === "worker");
  const needed = masters.filter(({ needsReload }) => needsReload || forWorkers);
  if (needy[0] && needed.length === 0) {
    const fault = withAdvice(needy[0].needsReload!);
    return await attempt(needy[0], () => Promise.reject(fault));
  }
  for (const master of needed) {
    const reload = () => reloadHaproxy(master.haproxy!, job.timing);
    master.undo = reload;
    if (!await attempt(master, reload)) return false;
  }
  for (const station of needy) {
    if (!await attempt(station, () => awaitCertificate(station, job))) return false;
    station.outcome = "reloaded";
  }
  return true;
}

async function awaitCertificate({ socket }: Station, job: SwapJob): Promise<void> {
  const until = performance.now() + TAKEOVER_MS;
  for (;;) {
    const fault = await findFault(socket, job);
    if (!fault) return;
    if (performance.now() >= until) throw fault;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Why the certificate is not served there at this moment. */
async function findFault(socket: string, job: SwapJob): Promise<SwapFault | undefined> {
  try {
    const { haproxy, inventory } = await findHaproxy(socket, job.timing);
    const name = knownName(inventory, job.name);
    if (name === undefined) return unknownName(job.name, inventory);
    if (await serves(haproxy, { name, identity: job.identity })) return undefined;
    return new SwapFault("not_served", `it was reloaded but shows another certificate as ${name}`);
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
