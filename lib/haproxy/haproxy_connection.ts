/**
 * One running HAProxy behind a socket, and the commands sent to it.
 *
 * A worker's own socket and the socket of its master need different commands; which one it is is
 * found by asking, so operators need not configure it.
 */
import {
  type Identity,
  type Inventory,
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
  /** Sends a command to the worker: through the master to the newest one, whose number is @1. */
  ask: (command: string) => Promise<RuntimeAnswer>;
  /** Sends a command to the master itself; undefined on a worker's socket. */
  askMaster?: (command: string, options?: RuntimeOptions) => Promise<RuntimeAnswer>;
}

/**
 * Finds out what listens at `socket` and which certificates it has.
 * @throws {SwapFault} when nobody does, or it is no HAProxy that can swap certificates (2.2)
 */
export async function findHaproxy(
  socket: string,
  options: RuntimeOptions = {},
): Promise<{ haproxy: Haproxy; inventory: Inventory }> {
  const send = (command: string, deadline = options) => askSocket(socket, command, deadline);
  const first = await look(send, LIST);
  const inventory = parseInventory(first);
  if (inventory) return { haproxy: { socket, kind: "worker", ask: send }, inventory };

  const ask = (command: string) => send(`@1 ${command}`);
  const haproxy: Haproxy = { socket, kind: "master", ask, askMaster: send };
  const second = first.startsWith("Unknown command") ? await look(ask, LIST) : first;
  const workers = parseInventory(second);
  if (workers) return { haproxy, inventory: workers };
  // A master whose last reload failed may have no current worker (before 2.5); it can reload.
  if (second.startsWith("Can't find the target")) return { haproxy, inventory: { names: [] } };
  throw new SwapFault(
    "refused",
    `it is no HAProxy of 2.2 or later: it said: ${quoteReply(second)}`,
  );
}

const LIST = "show ssl cert";

/** How often, and how long apart, what is locked is asked for: about three seconds in all. */
const LOOKS = 30;
const PAUSE_MS = 100;

/**
 * The answer to a question about certificates. HAProxy answers none while another client, or its own
 * ACME, changes one; what is loaded must not look like missing then, so the question is put again.
 * @throws {SwapFault} when there is no answer, or it stays locked
 */
async function look(ask: Haproxy["ask"], command: string): Promise<string> {
  for (let looks = 1;; looks++) {
    const text = replyText(await ask(command));
    if (!isLocked(text)) return text;
    if (looks === LOOKS) {
      throw new SwapFault("refused", `to ${command} it said: ${quoteReply(text)}`);
    }
    await delay(PAUSE_MS);
  }
}

/** The certificates it has. @throws {SwapFault} */
export async function listCertificates(haproxy: Haproxy): Promise<Inventory> {
  const text = await look(haproxy.ask, LIST);
  const inventory = parseInventory(text);
  if (!inventory) throw new SwapFault("refused", `to ${LIST} it said: ${quoteReply(text)}`);
  return inventory;
}

/** The certificate it has under `name`, undefined when it shows none. @throws {SwapFault} */
export async function showCertificate(haproxy: Haproxy, name: string): Promise<Shown | undefined> {
  return parseShown(await look(haproxy.ask, `${LIST} ${name}`), name);
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
