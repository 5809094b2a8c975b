/**
 * Operations that may never return, each begun once.
 *
 * A call into a dead file system keeps one of the runtime's 32 threads until the file system
 * answers. Asked for again and again, such calls would use up all threads; so whoever asks while
 * one is in progress waits for that one.
 */

export class InProgress<T> {
  #running = new Map<string, Promise<T>>();

  /** The result of what is in progress for the key, or of `begin`. */
  join(key: string, begin: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running) return running;
    const started = begin().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }
}
