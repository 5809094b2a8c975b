/**
 * A certificate that HAProxy does not use yet: created, filled, and added to a crt-list, which in
 * HAProxy may also be a directory of certificates. All of it in memory only: after a reload only
 * the directory or the crt-list on disk counts.
 */
import { type Haproxy, replyText, showCertificate } from "./haproxy_connection.ts";
import { replaceCertificate, type Replacement } from "./replace_certificate.ts";
import { type CommandOutcome, parseAdd, parseDelete, parseNew, plainPath } from "./replies.ts";
import { SwapFault } from "./swap_fault.ts";

interface Addition extends Replacement {
  /** As HAProxy spells it. */
  crtList: string;
}

/**
 * `new`, the transaction of replaceCertificate, `add ssl crt-list`. A certificate that a crashed
 * run created and did not add is used.
 *
 * @returns remarks for the operator when all went well
 * @throws {SwapFault} with the certificate removed again, if HAProxy still answers
 */
export async function addCertificate(haproxy: Haproxy, addition: Addition): Promise<string[]> {
  const { name, crtList } = addition;
  try {
    const made = parseNew(replyText(await haproxy.ask(`new ssl cert ${name}`)), name);
    if (made.kind !== "exists") expectDone(made, `new ssl cert ${name}`);
    const notes = await replaceCertificate(haproxy, addition);
    const command = `add ssl crt-list ${crtList} ${name}`;
    const added = parseAdd(replyText(await haproxy.ask(command)), name);
    if (added.kind !== "exists") expectDone(added, command);
    const status = (await showCertificate(haproxy, name))?.status;
    if (status !== "Used") {
      throw new SwapFault("not_served", `it added ${name} but shows it as ${status ?? "absent"}`);
    }
    if (plainPath(crtList) === plainPath(name.slice(0, name.lastIndexOf("/")))) return notes;
    return [
      ...notes,
      `add ${name} to the file ${crtList} too, or HAProxy loses it at the next reload`,
    ];
  } catch (error) {
    await removeCertificate(haproxy, addition).catch(() => {});
    throw error;
  }
}

/** Undoes addCertificate. @throws {SwapFault} */
export async function removeCertificate(
  haproxy: Haproxy,
  { name, crtList }: { name: string; crtList: string },
): Promise<void> {
  for (const command of [`del ssl crt-list ${crtList} ${name}`, `del ssl cert ${name}`]) {
    const verdict = parseDelete(replyText(await haproxy.ask(command)), name);
    if (verdict.kind !== "unknown") expectDone(verdict, command);
  }
}

function expectDone(verdict: CommandOutcome, command: string): void {
  if (verdict.kind === "done") return;
  if (verdict.kind === "denied") throw new SwapFault("denied", "this socket is not `level admin`");
  const why = verdict.kind === "refused" ? verdict.why : verdict.kind;
  throw new SwapFault("refused", `to ${command} it said: ${why}`);
}
