/**
 * One running HAProxy behind a socket, and the commands sent to it.
 *
 * A worker's own socket and the socket of its master need different commands; which one it is is
 * found by asking, so operators need not configure it.
 */
import {
  type Identity,
  type Inventory,
  isDenied,
  isLocked,
  isShown,
  parseInventory,
  parseShown,
  quoteReply,
  type Shown,
} from "./replies.ts";
import { delay } from "../time.ts";
import { askSocket, type RuntimeAnswer, type RuntimeOptions } from "./runtime_socket.ts";
import { SwapFault } from "./swap_fault.ts";

/** A HAProxy that answered. */
export interface Haproxy {
  /** The address, as the operator wrote it. */
  socket: string;
  kind: "worker" | "master";
  /**
   * Sends a command to the worker: through the master to the newest one, whose number is @1. While
   * its certificates are locked, the command is sent again, as it has done nothing then.
   * @throws {SwapFault} when they stay locked
   */
  ask: (command: string) => Promise<RuntimeAnswer>;
  /** The same without sending again. */
  askOnce: (command: string) => Promise<RuntimeAnswer>;
  /** Sends a command to the master itself; undefined on a worker's socket. */
  askMaster?: (command: string, options?: RuntimeOptions) => Promise<RuntimeAnswer>;
}

export interface HaproxyOptions extends RuntimeOptions {
  /** How long a command waits while certificates are locked. @default 11_000 */
  lockedMs?: number;
}

/**
 * Finds out what listens at `socket` and which certificates it has.
 * @throws {SwapFault} when nobody does, or it is no HAProxy that can swap certificates (2.2)
 */
export async function findHaproxy(
  socket: string,
  options: HaproxyOptions = {},
): Promise<{ haproxy: Haproxy; inventory: Inventory }> {
  const send = (command: string, deadline: RuntimeOptions = options) =>
    askSocket(socket, command, deadline);
  const asking = (prefix: string) => {
    const askOnce = (command: string) => send(prefix + command);
    const ask = (command: string) => whileLocked(() => askOnce(command), options.lockedMs);
    return { ask, askOnce };
  };
  const worker: Haproxy = { socket, kind: "worker", ...asking("") };
  const first = replyText(await worker.ask(LIST));
  const inventory = parseInventory(first);
  if (inventory) return { haproxy: worker, inventory };

  const haproxy: Haproxy = { socket, kind: "master", ...asking("@1 "), askMaster: send };
  const isMaster = first.startsWith("Unknown command");
  const second = isMaster ? replyText(await haproxy.ask(LIST)) : first;
  const workers = parseInventory(second);
  if (workers) return { haproxy, inventory: workers };
  // A master whose last reload failed may have no current worker (before 2.5); it can reload.
  if (second.startsWith("Can't find the target")) return { haproxy, inventory: { names: [] } };
  if (isDenied(second)) {
    throw new SwapFault("denied", "this socket is neither `level operator` nor `level admin`");
  }
  throw new SwapFault(
    "refused",
    `it is no HAProxy of 2.2 or later: it said: ${quoteReply(second)}`,
  );
}

const LIST = "show ssl cert";

/**
 * A client that does not read a long answer keeps HAProxy's certificates locked until it is
 * disconnected after `stats timeout`, by default 10 s; this is a little longer.
 */
const LOCKED_MS = 11_000;

/** Between two tries. */
const PAUSE_MS = 100;

/**
 * The first answer that is not about the lock, which HAProxy holds during each command about
 * certificates and while its own ACME installs one. What is loaded must not look like missing then,
 * nor what can be changed like refused.
 * @throws {SwapFault} when it stays locked
 */
async function whileLocked(
  send: () => Promise<RuntimeAnswer>,
  lockedMs = LOCKED_MS,
): Promise<RuntimeAnswer> {
  const until = performance.now() + lockedMs;
  for (;;) {
    const answer = await send();
    if (answer.kind !== "reply" || !isLocked(answer.text)) return answer;
    if (performance.now() >= until) {
      throw new SwapFault(
        "busy",
        `another command of its runtime API, or its own ACME, has kept its certificates locked for ` +
          `${lockedMs / 1000} s: run this again later; a client that hangs is disconnected after ` +
          'HAProxy\'s "stats timeout"',
      );
    }
    await delay(PAUSE_MS);
  }
}

/** The certificates it has. @throws {SwapFault} */
export async function listCertificates(haproxy: Haproxy): Promise<Inventory> {
  const text = replyText(await haproxy.ask(LIST));
  const inventory = parseInventory(text);
  if (!inventory) throw new SwapFault("refused", `to ${LIST} it said: ${quoteReply(text)}`);
  return inventory;
}

/** The certificate it has under `name`, undefined when it shows none. @throws {SwapFault} */
export async function showCertificate(haproxy: Haproxy, name: string): Promise<Shown | undefined> {
  return parseShown(replyText(await haproxy.ask(`${LIST} ${name}`)), name);
}

/** Whether HAProxy has the expected certificate under `name`. @throws {SwapFault} */
export async function serves(
  haproxy: Haproxy,
  { name, identity }: { name: string; identity: Identity },
): Promise<boolean> {
  const shown = await showCertificate(haproxy, name);
  return shown !== undefined && isShown(shown, identity);
}

/** The text of an answer. @throws {SwapFault} when there were none */
export function replyText(answer: RuntimeAnswer): string {
  if (answer.kind === "reply") return answer.text;
  throw new SwapFault(answer.kind, answer.detail);
}
