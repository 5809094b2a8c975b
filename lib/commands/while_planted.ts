/** Work that needs a token file while it runs: the file is removed afterwards in every case. */

import { JobError, messageOf } from "../errors.ts";
import { removeDirectories } from "../make_directory.ts";
import { plantToken, removeToken, type TokenContent } from "./plant_token.ts";

const SIGNALS: Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** A token file: in which webroot, and where in it. */
interface Planting extends TokenContent {
  webroot: string;
  directory: string;
}

interface PlantedWork<T> {
  /** Without this one there is nothing to work with. */
  main: Planting;
  /** Files that cannot be written are skipped, each with its reason. */
  others: readonly Planting[];
  work: (signal: AbortSignal, reasons: ReadonlyMap<Planting, string>) => Promise<T>;
}

/**
 * Writes the tokens, does the work, and removes the tokens: after success, after failure, and on
 * the signals that end a program; these abort the signal of `work`.
 * @throws {JobError} when the main file cannot be written, when one cannot be removed, or when a
 * signal came
 */
export async function whilePlanted<T>({ main, others, work }: PlantedWork<T>): Promise<T> {
  const controller = new AbortController();
  let ended: Deno.Signal | undefined;
  const handlers = SIGNALS.map((signal) => ({
    signal,
    handle: () => {
      ended ??= signal;
      controller.abort();
    },
  }));
  // Before the file exists: by default a signal ends the process at once.
  for (const { signal, handle } of handlers) Deno.addSignalListener(signal, handle);
  try {
    const made = await plant(main);
    const reasons = new Map<Planting, string>();
    try {
      for (const other of others) {
        controller.signal.throwIfAborted();
        try {
          made.push(...await plant(other));
        } catch (error) {
          reasons.set(other, messageOf(error));
        }
      }
      const result = await work(controller.signal, reasons);
      controller.signal.throwIfAborted();
      return result;
    } finally {
      await removeAll([main, ...others.filter((other) => !reasons.has(other))]);
      // A webroot that did not exist must not be left behind for the ACME client with another
      // owner.
      await removeDirectories(made);
    }
  } catch (error) {
    // A file that could not be removed is the most important thing to report.
    if (!ended || error instanceof JobError) throw error;
    throw new JobError(`ended by ${ended}`, { cause: error });
  } finally {
    for (const { signal, handle } of handlers) Deno.removeSignalListener(signal, handle);
  }
}

async function plant({ webroot, ...content }: Planting): Promise<string[]> {
  try {
    return await plantToken(webroot, content);
  } catch (error) {
    // It may have been written and then refused.
    await removeToken(content.directory, content.token).catch(() => {});
    const reason = `${messageOf(error)}; it takes root, or a user who may write to the webroot`;
    throw new JobError(reason, { cause: error });
  }
}

/** If one cannot be removed, the others still are. */
async function removeAll(plantings: readonly Planting[]): Promise<void> {
  const results = await Promise.allSettled(
    plantings.map(({ directory, token }) => removeToken(directory, token)),
  );
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}
