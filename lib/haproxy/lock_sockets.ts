/**
 * One acme-lb at a time at each HAProxy: its transaction is one for the whole process, and two
 * runs with targets in different directories do not meet at those directories' locks.
 */
import { lockFile } from "../file_lock.ts";
import { realTarget } from "../resolve_target.ts";
import { errnoOf } from "../system_reason.ts";
import { isSocketPath } from "../runtime_address.ts";

/**
 * Takes the locks of all `sockets`, in an order that is the same for everybody. Where no lock file
 * can be made (no right to write there, HAProxy is down, TCP) there is none; replace_certificate.ts
 * still watches the transaction.
 * @throws {JobError} when another run has held a lock for `waitMs`
 */
export async function lockSockets(
  sockets: readonly string[],
  options: { waitMs?: number } = {},
): Promise<Disposable> {
  const locks = new DisposableStack();
  try {
    for (const path of await lockPaths(sockets)) {
      try {
        locks.use(await lockFile(path, options));
      } catch (error) {
        if (errnoOf((error as Error).cause) === undefined) throw error;
      }
    }
  } catch (error) {
    locks.dispose();
    throw error;
  }
  return locks;
}

async function lockPaths(sockets: readonly string[]): Promise<string[]> {
  const paths = new Set<string>();
  for (const socket of sockets.filter(isSocketPath)) {
    try {
      const { path, directory } = await realTarget(socket);
      await Deno.lstat(path);
      paths.add(`${directory}/.${path.slice(path.lastIndexOf("/") + 1)}.acme-lb.lock`);
    } catch {
      // Without a socket there is no HAProxy; the first command to it reports that.
    }
  }
  return [...paths].sort();
}
