/**
 * Which certificates a running HAProxy has in memory, to be compared with the files on disk.
 *
 * Only reads: `level operator` is enough, and nothing is sent but `show ssl cert`. One question
 * after the other, since a HAProxy has few connections for its runtime API (10 by default).
 */
import { JobError } from "../errors.ts";
import { nameProblem } from "./payload.ts";
import {
  findHaproxy,
  type Haproxy,
  type HaproxyOptions,
  showCertificate,
} from "./haproxy_connection.ts";
import { attributeOf, type Shown } from "./replies.ts";
import { SwapFault } from "./swap_fault.ts";

/** A certificate as HAProxy reports it; what it does not report is undefined. */
export interface LoadedCertificate {
  /** As HAProxy knows it: the path in its configuration, or `@store/alias`. */
  name: string;
  /** Hexadecimal, as HAProxy writes it. */
  serial?: string;
  /** Upper-case hexadecimal, over the leaf's DER. */
  fingerprintSha1?: string;
  /** `Used`, `Unused` (loaded, but no bind offers it) or `Empty`. */
  status?: string;
  notBefore?: Date;
  notAfter?: Date;
  /** The names that it answers for, in lower case: DNS names, and the common name. */
  names: string[];
  key?: "RSA" | "EC" | "other";
  /** The organisation of its issuer, else all of its name: as authorityOf in lib/cert has it. */
  authority?: string;
  /** The organisation of its subject; acme-lb marks its placeholders so. */
  organisation?: string;
  /** See {@link Shown}. */
  chainLength?: number;
  /** From 3.2 on: the files of certificate and key, as the configuration spells them. */
  crtFile?: string;
  keyFile?: string;
  /** Why HAProxy was not asked about it, so that only the name is known. */
  unasked?: string;
}

/**
 * All certificates behind a worker's or a master's socket, in HAProxy's order. One whose name
 * cannot be put on HAProxy's command line comes only with its name.
 * @param socket the path of a UNIX socket, or HOST:PORT
 * @throws {JobError} when nobody answers there, or something else does; the message does not
 * repeat the socket
 */
export async function readMemory(
  socket: string,
  options: HaproxyOptions = {},
): Promise<LoadedCertificate[]> {
  try {
    const { haproxy, inventory } = await findHaproxy(socket, options);
    return await showAll(haproxy, inventory.names);
  } catch (error) {
    if (error instanceof SwapFault) throw new JobError(error.message, { cause: error });
    throw error;
  }
}

/**
 * HAProxy's report on each of these names, without those that it no longer has. @throws {SwapFault}
 */
export async function showAll(
  haproxy: Haproxy,
  names: readonly string[],
): Promise<LoadedCertificate[]> {
  const loaded: LoadedCertificate[] = [];
  for (const name of names) {
    const unasked = nameProblem(name);
    if (unasked) {
      loaded.push({ name, names: [], unasked });
      continue;
    }
    const shown = await showCertificate(haproxy, name);
    if (shown) loaded.push(loadedOf(name, shown));
  }
  return loaded;
}

function loadedOf(name: string, shown: Shown): LoadedCertificate {
  const { serial, fingerprint, status, notBefore, notAfter, names, chainLength } = shown;
  const { crtFile, keyFile } = shown;
  const organisation = attributeOf(shown.issuer, "O");
  return {
    ...{ name, serial, fingerprintSha1: fingerprint, status, notBefore, notAfter, names },
    key: keyFamilyOf(shown.algorithm),
    authority: organisation === undefined ? shown.issuer?.slice(1) : `O=${organisation}`,
    organisation: attributeOf(shown.subject, "O"),
    ...{ chainLength, crtFile, keyFile },
  };
}

function keyFamilyOf(algorithm: string | undefined): LoadedCertificate["key"] {
  if (algorithm === undefined) return undefined;
  return algorithm.startsWith("RSA") ? "RSA" : algorithm.startsWith("EC") ? "EC" : "other";
}
