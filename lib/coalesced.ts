/** One run for all requests that come before it begins. */

/**
 * A function that runs the action once more after each call, one run at a time. Calls that come
 * while a run waits for its turn share that run, since it will see what each of them is about.
 * @param action must not reject
 * @returns settles when the run that answers the call is over
 */
export function coalesced(action: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve();
  let waits = false;
  return () => {
    if (waits) return last;
    waits = true;
    last = last.then(() => {
      waits = false;
      return action();
    });
    return last;
  };
}
