/** Work that needs a token file for its while: the file is gone afterwards, whatever happens. */

import { JobError, messageOf } from "../errors.ts";
import { removeDirectories } from "../make_directory.ts";
import { plantToken, removeToken, type TokenContent } from "./plant_token.ts";

const SIGNALS: Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Plants the token, works, and takes the token away: after success, failure, and the signals by
 * which a person or a unit ends a program; `work` is told of those and should come to its end.
 * @throws {JobError} when the file cannot be written or removed, or when a signal came
 */
export async function whilePlanted<T>(
  webroot: string,
  { work, ...content }: TokenContent & { work: (signal: AbortSignal) => Promise<T> },
): Promise<T> {
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
    const made = await plant(webroot, content);
    try {
      const result = await work(controller.signal);
      controller.signal.throwIfAborted();
      return result;
    } finally {
      await removeToken(webroot, content.token);
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

async function plant(webroot: string, content: TokenContent): Promise<string[]> {
  try {
    return await plantToken(webroot, content);
  } catch (error) {
    // It may have been written and found unfit.
    await removeToken(webroot, content.token).catch(() => {});
    const reason = `${messageOf(error)}; it takes root, or a user who may write to the webroot`;
    throw new JobError(reason, { cause: error });
  }
}
