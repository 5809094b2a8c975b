/** Work that needs a token file for its while: the file is gone afterwards, whatever happens. */

import { JobError, messageOf } from "../errors.ts";
import { removeDirectories } from "../make_directory.ts";
import { plantToken, removeToken, type TokenContent } from "./plant_token.ts";

const SIGNALS: Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** A token file: in which webroot, and where in it. */
export interface Planting extends TokenContent {
  webroot: string;
  directory: string;
}

export interface PlantedWork<T> {
  /** Without this one there is nothing to work with. */
  main: Planting;
  /** Those that cannot be written are passed over, each with its reason. */
  others: readonly Planting[];
  work: (signal: AbortSignal, reasons: ReadonlyMap<Planting, string>) => Promise<T>;
}

/**
 * Plants the tokens, works, and takes them away: after success, failure, and the signals by which
 * a person or a unit ends a program; `work` is told of those and should come to its end.
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
  // Before the file is there: by default a signal ends the process on the spot.
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
      // A webroot that the ACME client has yet to make must not be left to it as another user's.
      await removeDirectories(made);
    }
  } catch (error) {
    // A file that could not be removed has to be told of before all else.
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
    // It may have been written and found unfit.
    await removeToken(content.directory, content.token).catch(() => {});
    const reason = `${messageOf(error)}; it takes root, or a user who may write to the webroot`;
    throw new JobError(reason, { cause: error });
  }
}

/** One that cannot be removed keeps none of the others. */
async function removeAll(plantings: readonly Planting[]): Promise<void> {
  const results = await Promise.allSettled(
    plantings.map(({ directory, token }) => removeToken(directory, token)),
  );
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}
