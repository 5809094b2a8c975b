/**
 * One transaction: a certificate that HAProxy knows gets new content, or keeps its old one.
 *
 * HAProxy has a single transaction for the whole process. Without its commit 984d2cfb6 (October
 * 2024; Debian 12 lacks it) a `set` for one name while another's transaction is open puts our key
 * into that one. So the transaction is looked at between `set` and `commit`, and a mixed one is
 * aborted, even if another client began it.
 */
import { delay } from "../time.ts";
import {
  type CommandOutcome,
  type Identity,
  isShown,
  parseAbort,
  parseCommit,
  parseSet,
} from "./replies.ts";
import {
  type Haproxy,
  listCertificates,
  replyText,
  serves,
  showCertificate,
} from "./haproxy_connection.ts";
import { SwapFault } from "./swap_fault.ts";

/** How long another certificate's transaction may stay open until it counts as abandoned. */
const PATIENCE_MS = 10_000;

/** Another client's content may get in before `commit`; how often this is tried again. */
const MISTAKES = 3;

/** Between two checks, while another client is at work. */
const PAUSE_MS = 100;

const LOCKED = "another client, or its own ACME, works on certificates: run this again later";

/** Half of the default tune.bufsize, in bytes: no answer to a shorter command has another cause. */
const LARGE = 8_192;

export interface Replacement {
  /** Exactly as HAProxy lists it. */
  name: string;
  /** From pemPayload. */
  payload: string;
  identity: Identity;
  /** @default 10_000 */
  patienceMs?: number;
}

/**
 * `set`, a look at the transaction, `commit`, a look at the result; `abort` wherever that fails. A
 * transaction that a crashed run left for this name is aborted at once, one for another name when
 * it was open during all of `patienceMs`, twice the time that a running acme-lb allows a command.
 *
 * @returns remarks for the operator when all went well
 * @throws {SwapFault} with no transaction of ours left behind, if HAProxy still answers
 */
export async function replaceCertificate(
  haproxy: Haproxy,
  replacement: Replacement,
): Promise<string[]> {
  const { name, payload, identity, patienceMs = PATIENCE_MS } = replacement;
  const notes: string[] = [];
  const until = performance.now() + patienceMs;
  let mistaken = 0;
  let busyWith = LOCKED;
  do {
    await clearTheWay(haproxy, { name, patienceMs, notes });
    const verdict = await transact(haproxy, replacement);
    if (verdict.kind === "done") {
      if (await serves(haproxy, { name, identity })) return notes;
      if (++mistaken === MISTAKES) {
        throw new SwapFault("not_served", `it committed ${name} but shows another certificate`);
      }
      busyWith = `another client's certificate gets into the transaction of ${name}`;
      continue;
    }
    busyWith = retryReason(verdict, { name, payload });
    if (verdict.kind === "other" && verdict.mixed) {
      // The other client must not commit this key under its name.
      await abort(haproxy, verdict.name);
      notes.push(`aborted the transaction of ${verdict.name}, into which HAProxy had put ours`);
    }
    await delay(PAUSE_MS);
  } while (performance.now() < until);
  throw new SwapFault("busy", `gave up after ${patienceMs / 1000} s: ${busyWith}`);
}

/** One try; if it fails for any reason, the transaction is not left open. */
async function transact(haproxy: Haproxy, replacement: Replacement): Promise<CommandOutcome> {
  const { name, payload, identity } = replacement;
  let open = true;
  try {
    const set = await sendSet(haproxy, name, payload);
    if (set.kind !== "done") return set;
    const look = await lookBeforeCommit(haproxy, name, identity);
    if (look.kind !== "done") return look;
    // Once: while it waits for a lock, another client's content could get into the transaction.
    const answer = await haproxy.askOnce(`commit ssl cert ${name}`);
    const commit = parseCommit(replyText(answer), name);
    open = commit.kind !== "done";
    return commit;
  } finally {
    if (open) await abort(haproxy, name).catch(() => {});
  }
}

/**
 * Ends leftover transactions. One of another name counts as leftover when it, and no other, was
 * seen at every look for `patienceMs`; while names change, another client is at work.
 */
async function clearTheWay(
  haproxy: Haproxy,
  { name, patienceMs, notes }: { name: string; patienceMs: number; notes: string[] },
): Promise<void> {
  const start = performance.now();
  let seen: { transaction: string; since: number } | undefined;
  for (;;) {
    const { transaction } = await listCertificates(haproxy);
    if (transaction === undefined) return;
    const now = performance.now();
    if (seen?.transaction !== transaction) seen = { transaction, since: now };
    if (transaction === name || now - seen.since >= patienceMs) {
      await abort(haproxy, transaction);
      notes.push(`aborted a transaction of ${transaction} that had been left open`);
      return;
    }
    if (now - start >= 3 * patienceMs) {
      throw new SwapFault("busy", `other clients keep its transaction, now for ${transaction}`);
    }
    await delay(PAUSE_MS);
  }
}

/**
 * In this command alone HAProxy before 2.9 cuts `.crt` off a name, as the kind of the payload: a
 * certificate with all that belongs to it. A file that is named so is found when it stands there
 * twice.
 */
async function sendSet(haproxy: Haproxy, name: string, payload: string): Promise<CommandOutcome> {
  const outcome = await sendSetAs(name);
  return outcome.kind === "unknown" && name.endsWith(".crt")
    ? await sendSetAs(`${name}.crt`)
    : outcome;

  async function sendSetAs(target: string): Promise<CommandOutcome> {
    const answer = await haproxy.ask(`set ssl cert ${target} <<\n${payload}`);
    // What does not fit its tune.bufsize makes a worker before 2.9 hang up, and a master lose it.
    const lost = answer.kind === "silent" ||
      answer.kind === "reply" && answer.text.startsWith("Can't connect to the target CLI!");
    if (lost && payload.length >= LARGE) return { kind: "too_large" };
    return parseSet(replyText(answer), name);
  }
}

/**
 * The commit is stopped when the transaction certainly has other content; without certainty it goes
 * on, because `commit` itself refuses when there is no transaction.
 */
async function lookBeforeCommit(
  haproxy: Haproxy,
  name: string,
  identity: Identity,
): Promise<CommandOutcome> {
  const shown = await showCertificate(haproxy, `*${name}`);
  const foreign = shown?.fingerprint !== undefined && !isShown(shown, identity);
  return foreign ? { kind: "none" } : { kind: "done" };
}

/** The reason to try again. @throws {SwapFault} when trying again would not help */
function retryReason(
  verdict: Exclude<CommandOutcome, { kind: "done" }>,
  { name, payload }: { name: string; payload: string },
): string {
  switch (verdict.kind) {
    case "other":
      return verdict.mixed && `${verdict.name}.crt` === name
        ? cutName(name, verdict.name)
        : `the transaction of ${verdict.name} is open`;
    case "none":
      return `another client keeps ending the transaction of ${name}`;
    case "locked":
      return LOCKED;
    case "unknown":
      throw new SwapFault("unknown_name", `its configuration does not refer to ${name}`);
    case "too_large":
      throw new SwapFault(
        "too_large",
        `its command buffer does not hold the ${payload.length} bytes of this certificate`,
      );
    case "denied":
      throw new SwapFault("denied", "this socket is not `level admin`");
    case "exists":
      throw new SwapFault("refused", `it says that ${name} exists`);
    case "refused":
      throw new SwapFault("refused", `it refused ${name}: ${verdict.why}`);
  }
}

/** What sendSet cannot get around. */
function cutName(name: string, taken: string): string {
  return `HAProxy before 2.9 takes ${name} for ${taken}, which it has loaded too: rename one of the ` +
    "two files, also in HAProxy's configuration, and reload HAProxy";
}

/** Ends the transaction of `name`, if one is open. @throws {SwapFault} when HAProxy is silent */
async function abort(haproxy: Haproxy, name: string): Promise<void> {
  parseAbort(replyText(await haproxy.ask(`abort ssl cert ${name}`)), name);
}
