/**
 * Puts a checked PEM file where HAProxy reads it and into every HAProxy that runs, or leaves both
 * as they were.
 *
 * A crash between the two leaves the new file beside the old memory; the next run sees that the
 * file is unchanged and finishes the swap. Leaves out: what may be in the file, and the lock,
 * which must span the decision too.
 */

import { atomicWrite, putBack } from "../atomic_write.ts";
import type { FileLock } from "../file_lock.ts";
import { swapCertificate, type SwapResult } from "./swap.ts";

export interface Installation {
  path: string;
  pem: Uint8Array;
  /** The lock on `path`, taken before the installed file was read. */
  lock: FileLock;
  /** What stands at `path` now; undefined when nothing does. */
  previous?: Uint8Array;
  /** Permission bits and owner; what is left out stays as it is. */
  rights?: { mode?: number; uid?: number; gid?: number };
  /** Without it no HAProxy is told. */
  haproxy?: HaproxyTarget & {
    /** The leaf's. */
    serial: string;
    /** `previous` as blocks that may be sent to HAProxy. */
    previousPem?: string;
  };
}

export interface HaproxyTarget {
  sockets: string[];
  /** The file's name as HAProxy knows it. */
  name: string;
  crtList?: string;
}

export interface InstallResult {
  file: "written" | "unchanged";
  swap?: SwapResult;
}

/** @throws {JobError} when the file cannot be written, or nothing may be sent to HAProxy */
export async function installPem(installation: Installation): Promise<InstallResult> {
  const { path, pem, lock, previous, rights, haproxy } = installation;
  const file = await atomicWrite(path, pem, { ...rights, lock });
  if (!haproxy || haproxy.sockets.length === 0) return { file };
  const unchanged = file === "unchanged";
  const swap = await swapCertificate({
    ...haproxy,
    pem: new TextDecoder().decode(pem),
    unchanged,
    putBack: async () => {
      if (!unchanged) await putBack(path, previous, { lock });
    },
  });
  return { file, swap };
}
