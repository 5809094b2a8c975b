/**
 * What commander takes from Node, in the executable: little enough to be written down here, while
 * Node's own modules double the time of a start that does nothing else.
 *
 * commander's default import of five modules is this one: it looks into `process` for an exit code
 * that nobody has set, and into the others only for subcommands that are programs of their own. The
 * terminal it is told of by lib/cli.ts.
 */

type Listener = (...values: unknown[]) => void;

/** The part of node:events that commander uses: listeners are added, counted and called. */
export class EventEmitter {
  #listeners = new Map<string, Listener[]>();

  on(event: string, listener: Listener): this {
    this.#listeners.set(event, [...this.#listeners.get(event) ?? [], listener]);
    return this;
  }

  emit(event: string, ...values: unknown[]): boolean {
    const listeners = this.#listeners.get(event) ?? [];
    for (const listener of listeners) listener.apply(this, values);
    return listeners.length > 0;
  }

  listenerCount(event: string): number {
    return this.#listeners.get(event)?.length ?? 0;
  }
}

/** Nothing is coloured: see lib/cli.ts. */
export function stripVTControlCharacters(text: string): string {
  return text;
}

export default {};
