/**
 * A doubly linked list: in order of insertion, with removal of any entry in constant time.
 *
 * A Set keeps the order too, but finding its first entry takes longer the more entries were removed
 * before it, which a queue does all the time.
 */

export interface ListEntry<T> {
  readonly value: T;
  previous: ListEntry<T> | undefined;
  next: ListEntry<T> | undefined;
}

export class LinkedList<T> {
  #first: ListEntry<T> | undefined;
  #last: ListEntry<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The value that has been in the list for the longest. */
  get first(): T | undefined {
    return this.#first?.value;
  }

  push(value: T): ListEntry<T> {
    const entry: ListEntry<T> = { value, previous: this.#last, next: undefined };
    if (this.#last) this.#last.next = entry;
    else this.#first = entry;
    this.#last = entry;
    this.#size++;
    return entry;
  }

  /** The entry must be one of this list's, and is removed only once. */
  remove(entry: ListEntry<T>): void {
    if (entry.previous) entry.previous.next = entry.next;
    else this.#first = entry.next;
    if (entry.next) entry.next.previous = entry.previous;
    else this.#last = entry.previous;
    this.#size--;
  }
}
