/** The list against an array: the same order after any insertions and removals. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { LinkedList, type ListEntry } from "../lib/linked_list.ts";

Deno.test("LinkedList keeps the order of insertion through any removals", () => {
  // A number below 0 inserts, any other removes that entry of those there are.
  fc.assert(fc.property(fc.array(fc.integer({ min: -40, max: 30 })), (steps) => {
    const list = new LinkedList<number>();
    const model: ListEntry<number>[] = [];
    for (const [i, step] of steps.entries()) {
      if (step < 0) model.push(list.push(i));
      else if (model.length > 0) list.remove(model.splice(step % model.length, 1)[0]!);
      assert.deepEqual([list.size, list.first], [model.length, model[0]?.value]);
    }
    while (model.length > 0) {
      assert.deepEqual(list.first, model[0]!.value);
      list.remove(model.shift()!);
    }
    assert.deepEqual([list.size, list.first], [0, undefined]);
  }));
});
