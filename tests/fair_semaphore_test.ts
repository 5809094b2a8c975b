/** FairSemaphore: never more than the limit, fair between keys, and nothing is lost. */

import { deepStrictEqual, ok } from "node:assert/strict";
import fc from "fast-check";
import { FairSemaphore } from "../lib/fair_semaphore.ts";

const never = new AbortController().signal;
const tick = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("FairSemaphore never hold more than the limit and the share, and serve all who wait", async () => {
  const keys = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 40 });
  await fc.assert(fc.asyncProperty(keys, fc.integer({ min: 1, max: 5 }), async (keys, limit) => {
    const share = Math.ceil(limit / 2);
    const slots = new FairSemaphore({ limit: () => limit, share: () => share });
    const held = new Map<string, number>();
    let served = 0;
    await Promise.all(keys.map(async (key, i) => {
      ok(await slots.acquire(key, never));
      held.set(key, (held.get(key) ?? 0) + 1);
      ok(slots.held <= limit && held.get(key)! <= share);
      for (let turns = i % 3; turns > 0; turns--) await Promise.resolve();
      held.set(key, held.get(key)! - 1);
      slots.release(key);
      served++;
    }));
    deepStrictEqual([served, slots.held], [keys.length, 0]);
  }));
});

Deno.test("FairSemaphore serve the oldest first, but pass over a key that has its share", async () => {
  const slots = new FairSemaphore({ limit: () => 2, share: () => 1 });
  const order: string[] = [];
  const take = (key: string, name: string) =>
    void slots.acquire(key, never).then(() => order.push(name));
  for (const name of ["a1", "a2", "b1", "c1", "b2"]) take(name[0]!, name);
  await tick();
  deepStrictEqual(order, ["a1", "b1"]);
  slots.release("b");
  await tick();
  deepStrictEqual(order, ["a1", "b1", "c1"]);
  slots.release("a");
  await tick();
  deepStrictEqual(order, ["a1", "b1", "c1", "a2"]);
});

Deno.test("FairSemaphore let go of who gives up, and turn away when the queue is full", async () => {
  const slots = new FairSemaphore({ limit: () => 1, queue: 1 });
  ok(await slots.acquire("a", never));
  const controller = new AbortController();
  const waiting = slots.acquire("b", controller.signal);
  deepStrictEqual(await slots.acquire("c", never), false);
  controller.abort();
  deepStrictEqual(await waiting, false);
  deepStrictEqual(await slots.acquire("d", controller.signal), false);
  slots.release("a");
  ok(await slots.acquire("e", never));
});

Deno.test("FairSemaphore follow a limit that rises", async () => {
  let limit = 1;
  const slots = new FairSemaphore({ limit: () => limit });
  ok(await slots.acquire("a", never));
  const waiting = [slots.acquire("a", never), slots.acquire("a", never)];
  limit = 3;
  slots.release("a");
  deepStrictEqual(await Promise.all(waiting), [true, true]);
});
