/**
 * Which certificates a running HAProxy has in memory, to be compared with the files on disk.
 *
 * Reading alone: `level operator` is enough, and nothing is sent but `show ssl cert`. One question
 * after the other, since a HAProxy has few connections for its runtime API (10 by default).
 */
import { JobError } from "../errors.ts";
import { nameProblem } from "./payload.ts";
import { findHaproxy, showCertificate } from "./haproxy_connection.ts";
import type { AskOptions } from "./runtime_socket.ts";
import { SwapFault } from "./swap_fault.ts";

/** A certificate as HAProxy tells of it; what it does not tell is absent. */
export interface LoadedCertificate {
  /** As HAProxy knows it: the path in its configuration, or an alias. */
  name: string;
  /** Hexadecimal, as HAProxy writes it. */
  serial?: string;
  /** Upper-case hexadecimal, over the leaf's DER. */
  fingerprintSha1?: string;
  /** `Used`, `Unused` (loaded, but no bind offers it) or `Empty`. */
  status?: string;
}

/**
 * All certificates behind a worker's or a master's socket, in HAProxy's order. One whose name
 * cannot be put on HAProxy's command line comes with its name alone.
 * @param socket the path of a UNIX socket, or HOST:PORT
 * @throws {JobError} when nobody answers there, or something else does; the message does not
 * repeat the socket
 */
export async function readMemory(
  socket: string,
  options: AskOptions = {},
): Promise<LoadedCertificate[]> {
  try {
    const { haproxy, inventory } = await findHaproxy(socket, options);
    const loaded: LoadedCertificate[] = [];
    for (const name of inventory.names) {
      const shown = nameProblem(name) ? {} : await showCertificate(haproxy, name);
      // Whatever was deleted since the list was made is not loaded.
      if (!shown) continue;
      const { serial, fingerprint, status } = shown;
      loaded.push({ name, serial, fingerprintSha1: fingerprint, status });
    }
    return loaded;
  } catch (error) {
    if (error instanceof SwapFault) throw new JobError(error.message, { cause: error });
    throw error;
  }
}
