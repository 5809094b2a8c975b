/**
 * One HAProxy gets the certificate without a reload: known names are replaced, new ones added to
 * a crt-list. What cannot be done that way is left for reload_haproxy.ts.
 */
import { addCertificate, findCrtList, removeCertificate } from "./add_certificate.ts";
import { leafFingerprint, nameProblem, pemPayload } from "./payload.ts";
import { type Haproxy, serves, showCertificate } from "./haproxy_connection.ts";
import { type Inventory, isShown, plainPath, quoteReply } from "./replies.ts";
import { replaceCertificate } from "./replace_certificate.ts";
import type { SwapJob, SwapState } from "./swap_state.ts";
import { SwapFault } from "./swap_fault.ts";

/**
 * Sets the state's outcome and how to undo it, or why it needs a reload.
 * @throws {SwapFault} when HAProxy does not do as told
 */
export async function changeMemory(state: SwapState, job: SwapJob): Promise<void> {
  const { haproxy, inventory } = state;
  if (!haproxy || !inventory) return;
  const listed = knownName(inventory, job.name);
  const name = listed ?? job.name;
  const shown = listed === undefined ? undefined : await showCertificate(haproxy, listed);
  const offered = shown !== undefined && shown.status !== "Unused" && shown.status !== "Empty";
  if (offered && job.unchanged && isShown(shown, job.identity)) {
    state.outcome = "current";
    return;
  }
  const crtList = offered ? undefined : await findCrtList(haproxy, name, job.crtList);
  const { payload, identity, timing } = job;
  const change = { name, payload, identity, patienceMs: timing?.patienceMs };
  try {
    if (crtList !== undefined && nameProblem(crtList) === undefined) {
      state.undo = () => removeCertificate(haproxy, { name, crtList });
      finish(state, "added", await addCertificate(haproxy, { ...change, crtList }));
    } else if (listed !== undefined) {
      state.undo = () => restore(haproxy, name, job);
      const notes = await replaceCertificate(haproxy, change);
      if (!offered) notes.push("no bind uses this certificate");
      finish(state, "swapped", notes);
    } else {
      state.needsReload = unknownName(job.name, inventory);
    }
  } catch (error) {
    if (!(error instanceof SwapFault) || error.kind !== "too_large") throw error;
    state.needsReload = error;
    state.undo = undefined;
  }
}

/** The name as HAProxy spells it: it keeps doubled slashes of its configuration. */
export function knownName({ names }: Inventory, wanted: string): string | undefined {
  return names.find((name) => plainPath(name) === plainPath(wanted));
}

export function unknownName(name: string, { names }: Inventory): SwapFault {
  const file = name.slice(name.lastIndexOf("/") + 1);
  const alike = names.filter((known) => known.includes(file));
  const some = (alike.length > 0 ? alike : names).slice(0, 3).join(", ");
  const others = some === "" ? "" : `, but for instance ${quoteReply(some)}`;
  return new SwapFault("unknown_name", `it has no certificate named ${name}${others}`);
}

function finish(state: SwapState, outcome: "added" | "swapped", notes: string[]): void {
  state.outcome = outcome;
  state.message = notes.join("; ");
}

/** Brings the old certificate back into memory, unless it is there. */
async function restore(haproxy: Haproxy, name: string, job: SwapJob): Promise<void> {
  // What is on disk was there before and stays, so there is nothing to go back to.
  if (job.unchanged) return;
  if (job.previousPem === undefined) {
    if (!await serves(haproxy, { name, identity: job.identity })) return;
    throw new Error("there is no old certificate to go back to");
  }
  const payload = pemPayload(job.previousPem);
  const fingerprint = await leafFingerprint(payload);
  if (!fingerprint) throw new Error("the old file holds no certificate to go back to");
  const identity = { fingerprint };
  if (await serves(haproxy, { name, identity })) return;
  await replaceCertificate(haproxy, { name, payload, identity });
}
