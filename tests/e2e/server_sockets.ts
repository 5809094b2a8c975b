/**
 * How many sockets a server holds, from /proc: the server's side of the matter, because a client
 * that does not read cannot see that it was hung up on.
 */

import { delay } from "./daemon.ts";

/** The promise is 16 s after a connection was opened; the rest is for a loaded machine. */
export const CLOSE_DEADLINE = 20_000;

/** How many sockets a process has open. */
export async function socketsOf(pid: number): Promise<number> {
  let sockets = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    if (target.startsWith("socket:")) sockets++;
  }
  return sockets;
}

/** Does `meanwhile` again and again until the process has no more sockets than `before`. */
export async function closedWhile(
  options: { pid: number; before: number; meanwhile: () => Promise<void> },
): Promise<void> {
  const { pid, before, meanwhile } = options;
  const end = Date.now() + CLOSE_DEADLINE;
  while (true) {
    await meanwhile();
    const excess = await socketsOf(pid) - before;
    if (excess <= 0) return;
    if (Date.now() > end) throw new Error(`${excess} connections are still open`);
    await delay(100);
  }
}
