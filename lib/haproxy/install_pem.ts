/**
 * Writes a checked PEM file where HAProxy reads it and loads it into every running HAProxy, or
 * leaves both as they were.
 *
 * A crash between the two leaves the new file beside the old memory; the next run sees that the
 * file is unchanged and finishes the swap. Not done here: checking the content, and taking the
 * lock, which must cover that decision too.
 */

import { atomicWrite, putBack } from "../atomic_write.ts";
import type { FileLock } from "../file_lock.ts";
import { swapCertificate, type SwapResult } from "./swap.ts";
import type { Running, SwapRequest, Written } from "./swap_state.ts";

interface Installation {
  path: string;
  pem: Uint8Array;
  /** The lock on `path`, taken before the installed file was read. */
  lock: FileLock;
  /** The file at `path` now; undefined when there is none. */
  previous?: Uint8Array;
  /** Permission bits and owner; what is left out stays as it is. */
  rights?: { mode?: number; uid?: number; gid?: number };
  /** A file beside it from which HAProxy reads the key while `path` holds none. */
  keyFile?: KeyFile;
  /** Without it no HAProxy is told. */
  haproxy?: HaproxyTarget & Pick<SwapRequest, "content" | "previous" | "leaf"> & {
    /** Checks running HAProxys before anything is written; if it throws, nothing changes. */
    approve?: (running: readonly Running[]) => void;
  };
}

export interface KeyFile {
  path: string;
  content: Uint8Array;
  previous: Uint8Array;
}

export interface HaproxyTarget {
  /** As parseRuntimeAddress returns them. */
  sockets: string[];
  /** The file's name as HAProxy knows it. */
  name: string;
  crtList?: string;
}

export interface InstallResult {
  file: Written;
  swap?: SwapResult;
}

/** @throws {JobError} when the file cannot be written, or nothing may be sent to HAProxy */
export async function installPem(installation: Installation): Promise<InstallResult> {
  const { path, haproxy } = installation;
  const files = filesOf(installation);
  if (!haproxy || haproxy.sockets.length === 0) return { file: await files.write() };
  let file: Written = "unchanged";
  const swap = await swapCertificate({
    ...haproxy,
    file: path,
    install: async (running) => {
      haproxy.approve?.(running);
      return file = await files.write();
    },
    putBack: files.putBack,
  });
  return { file, swap };
}

/**
 * The file, and its key's own file where there is one. HAProxy prefers a key in the file itself, so
 * with the file first on the way there, and last on the way back, it finds a key that fits whenever
 * it starts.
 */
function filesOf({ path, pem, lock, previous, rights, keyFile }: Installation) {
  const back: (() => Promise<void>)[] = [];
  const putAllBack = async () => {
    for (let step; (step = back.pop());) await step();
  };
  const write = async (): Promise<Written> => {
    const file = await atomicWrite(path, pem, { ...rights, lock });
    if (file === "written") back.push(() => putBack(path, previous, { lock }));
    if (!keyFile) return file;
    try {
      const key = await atomicWrite(keyFile.path, keyFile.content, { lock });
      if (key === "written") {
        back.push(() => putBack(keyFile.path, keyFile.previous, { lock }));
      }
      return key === "written" ? key : file;
    } catch (error) {
      await putAllBack();
      throw error;
    }
  };
  return { write, putBack: putAllBack };
}
