/**
 * One HAProxy gets the certificate without a reload: what it has loaded from the file is replaced,
 * and where its directory or crt-list lacks the file, it is added. What cannot be done that way is
 * left for reload_haproxy.ts.
 */
import { addCertificate, removeCertificate } from "./add_certificate.ts";
import { type Haproxy, serves } from "./haproxy_connection.ts";
import type { LoadedCertificate } from "./loaded_certificates.ts";
import { nameProblem, pemPayload } from "./payload.ts";
import { type Inventory, isShown, quoteReply } from "./replies.ts";
import { replaceCertificate } from "./replace_certificate.ts";
import { crtListsFor, nameInList } from "./same_file.ts";
import type { SwapJob, SwapState } from "./swap_state.ts";
import { SwapFault } from "./swap_fault.ts";

/**
 * Sets the state's outcome and how to undo it, or why it needs a reload.
 * @throws {SwapFault} when HAProxy does not do as told
 */
export async function changeMemory(state: SwapState, job: SwapJob): Promise<void> {
  const { haproxy, inventory, loaded } = state;
  if (!haproxy || !inventory) return;
  const additions = await missingFrom(haproxy, state, job);
  const offered = loaded.filter(isOffered);
  const current = offered.filter(({ serial, fingerprintSha1: fingerprint }) =>
    isShown({ serial, fingerprint }, job.content)
  );
  if (
    job.written === "unchanged" && additions.length === 0 && offered.length > 0 &&
    current.length === offered.length
  ) {
    state.outcome = "current";
    return;
  }
  if (additions.length === 0 && loaded.length === 0) {
    state.needsReload = unknownName(job.name, inventory);
    return;
  }
  const notes: string[] = [];
  try {
    for (const { name, crtList } of additions) {
      state.undo.push(() => removeCertificate(haproxy, { name, crtList }));
      notes.push(...await addCertificate(haproxy, { ...changeOf(job), name, crtList }));
    }
    for (const { name } of additions.length > 0 ? offered : loaded) {
      state.undo.push(() => restore(haproxy, name, job));
      notes.push(...await replaceCertificate(haproxy, { ...changeOf(job), name }));
    }
  } catch (error) {
    if (!(error instanceof SwapFault) || error.kind !== "too_large") throw error;
    state.needsReload = error;
    state.undo = [];
    return;
  }
  if (additions.length === 0 && offered.length === 0) notes.push("no bind uses this certificate");
  state.outcome = offered.length > 0 || additions.length === 0 ? "swapped" : "added";
  state.message = notes.join("; ");
}

function changeOf({ payload, content: { fingerprint, serial }, timing }: SwapJob) {
  return { payload, identity: { fingerprint, serial }, patienceMs: timing?.patienceMs };
}

function isOffered({ status }: LoadedCertificate): boolean {
  return status !== "Unused" && status !== "Empty";
}

/**
 * The lists that should have the file and do not, each with the name that it takes there: a
 * directory wants the path as it spells it itself.
 */
async function missingFrom(
  haproxy: Haproxy,
  { inventory, loaded }: SwapState,
  job: SwapJob,
): Promise<{ name: string; crtList: string }[]> {
  const offered = loaded.filter(isOffered);
  if (job.crtList !== undefined && offered.length > 0) return [];
  const lists = await crtListsFor(haproxy, job, job.crtList);
  const named = lists.filter((list) => nameProblem(list) === undefined).map((crtList) => ({
    crtList,
    name: job.crtList === undefined ? nameInList(crtList, job.name) : job.name,
  }));
  const isKnown = ({ name }: { name: string }) =>
    inventory!.names.includes(name) &&
    !loaded.some((one) => one.name === name && !isOffered(one));
  return named.filter((one) => !isKnown(one));
}

export function unknownName(name: string, { names }: Inventory): SwapFault {
  const file = name.slice(name.lastIndexOf("/") + 1);
  const alike = names.filter((known) => known.includes(file));
  const some = (alike.length > 0 ? alike : names).slice(0, 3).join(", ");
  const others = some === "" ? "" : `, but for instance ${quoteReply(some)}`;
  return new SwapFault("unknown_name", `it has no certificate named ${name}${others}`);
}

/** Brings the old certificate back into memory, unless it is there. */
async function restore(haproxy: Haproxy, name: string, job: SwapJob): Promise<void> {
  // The file on disk was there before and stays, so nothing has to be restored.
  if (job.written === "unchanged") return;
  if (job.previous === undefined) {
    if (!await serves(haproxy, { name, identity: job.content })) return;
    throw new Error("there is no old certificate to go back to");
  }
  const payload = pemPayload(job.previous.pem);
  const identity = job.previous;
  if (await serves(haproxy, { name, identity })) return;
  await replaceCertificate(haproxy, { name, payload, identity });
}
