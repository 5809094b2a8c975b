/**
 * Which of many groups is the largest, where groups grow and shrink by one at a time: a list of
 * groups for each size, so that every step takes constant time.
 */

import { LinkedList, type ListEntry } from "../linked_list.ts";

export interface Ranked {
  readonly size: number;
  /** Kept by the ranking; undefined while the group is empty. */
  entry: ListEntry<Ranked> | undefined;
}

export class SizeRanking<G extends Ranked> {
  /** By size; the groups of one size in the order in which they came to have it. */
  #bySize: LinkedList<Ranked>[] = [];
  #largest = 0;

  /** One of the groups that hold most; undefined when all are empty. */
  get largest(): G | undefined {
    return this.#bySize[this.#largest]?.first as G | undefined;
  }

  /** The group has just grown by one. */
  grew(group: G): void {
    this.#move(group, group.size - 1);
    this.#largest = Math.max(this.#largest, group.size);
  }

  /** The group has just shrunk by one. */
  shrank(group: G): void {
    this.#move(group, group.size + 1);
    // It was of this size or smaller, so the next largest is smaller by one at most.
    if (this.#bySize[this.#largest]?.size === 0) this.#largest--;
  }

  #move(group: G, sizeBefore: number): void {
    if (group.entry) this.#bySize[sizeBefore]!.remove(group.entry);
    group.entry = group.size === 0
      ? undefined
      : (this.#bySize[group.size] ??= new LinkedList()).push(group);
  }
}
