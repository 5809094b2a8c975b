/** FairSemaphore: never more than the limit, fair between keys, and nothing is lost. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { FairSemaphore } from "../lib/fair_semaphore.ts";

const never = new AbortController().signal;
const tick = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("FairSemaphore never exceeds the limit and the share, and serves every waiting caller", async () => {
  const keys = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 40 });
  await fc.assert(fc.asyncProperty(keys, fc.integer({ min: 1, max: 5 }), async (keys, limit) => {
    const share = Math.ceil(limit / 2);
    const slots = new FairSemaphore({ limit: () => limit, share: () => share });
    const held = new Map<string, number>();
    let served = 0;
    await Promise.all(keys.map(async (key, i) => {
      assert.ok(await slots.acquire(key, never));
      held.set(key, (held.get(key) ?? 0) + 1);
      assert.ok(slots.held <= limit && held.get(key)! <= share);
      for (let turns = i % 3; turns > 0; turns--) await Promise.resolve();
      held.set(key, held.get(key)! - 1);
      slots.release(key);
      served++;
    }));
    assert.deepEqual([served, slots.held], [keys.length, 0]);
  }));
});

Deno.test("FairSemaphore serves the oldest first, but skips a key that has its share", async () => {
  const slots = new FairSemaphore({ limit: () => 2, share: () => 1 });
  const order: string[] = [];
  const take = (key: string, name: string) =>
    void slots.acquire(key, never).then(() => order.push(name));
  for (const name of ["a1", "a2", "b1", "c1", "b2"]) take(name[0]!, name);
  await tick();
  assert.deepEqual(order, ["a1", "b1"]);
  slots.release("b");
  await tick();
  assert.deepEqual(order, ["a1", "b1", "c1"]);
  slots.release("a");
  await tick();
  assert.deepEqual(order, ["a1", "b1", "c1", "a2"]);
});

Deno.test("FairSemaphore forgets a caller that gives up, and refuses when the queue is full", async () => {
  const slots = new FairSemaphore({ limit: () => 1, queue: 1 });
  assert.ok(await slots.acquire("a", never));
  const controller = new AbortController();
  const waiting = slots.acquire("b", controller.signal);
  assert.deepEqual(await slots.acquire("c", never), false);
  controller.abort();
  assert.deepEqual(await waiting, false);
  assert.deepEqual(await slots.acquire("d", controller.signal), false);
  slots.release("a");
  assert.ok(await slots.acquire("e", never));
});

Deno.test("FairSemaphore applies a limit that rises", async () => {
  let limit = 1;
  const slots = new FairSemaphore({ limit: () => limit });
  assert.ok(await slots.acquire("a", never));
  const waiting = [slots.acquire("a", never), slots.acquire("a", never)];
  limit = 3;
  slots.release("a");
  assert.deepEqual(await Promise.all(waiting), [true, true]);
});

Deno.test("FairSemaphore serves keys in turn, so a flood of one key delays only itself", async () => {
  const slots = new FairSemaphore({ limit: () => 1 });
  const order: string[] = [];
  const take = (key: string, name: string) =>
    void slots.acquire(key, never).then(() => order.push(name));
  assert.ok(await slots.acquire("held", never));
  for (let i = 0; i < 5; i++) take("flood", `flood${i}`);
  take("ca", "ca0");
  take("other", "other0");
  take("ca", "ca1");
  for (let key = "held", turns = 0; turns < 8; turns++) {
    slots.release(key);
    await tick();
    key = order.at(-1)!.slice(0, -1);
  }
  assert.deepEqual(order, [
    ...["flood0", "ca0", "other0", "flood1", "ca1", "flood2", "flood3", "flood4"],
  ]);
});

Deno.test("FairSemaphore bounds the queue of a key; in a full queue the key with most waiters loses one", async () => {
  const slots = new FairSemaphore({ limit: () => 1, queue: 6, queueOfKey: 4 });
  assert.ok(await slots.acquire("held", never));
  const gone: string[] = [];
  const take = (key: string, name: string) =>
    void slots.acquire(key, never).then((granted) => granted || gone.push(name));
  for (let i = 0; i < 10; i++) take("flood", `flood${i}`);
  await tick();
  assert.deepEqual(gone, ["flood4", "flood5", "flood6", "flood7", "flood8", "flood9"]);
  gone.length = 0;
  for (const key of ["a", "b", "c", "d"]) take(key, key);
  await tick();
  // Four of the flood and two others fill it; each newcomer takes the place of the flood's newest.
  assert.deepEqual(gone, ["flood3", "flood2"]);
  gone.length = 0;
  take("flood", "flood10");
  for (const key of ["e", "f", "g"]) take(key, key);
  await tick();
  // The flood itself displaces nobody, and nobody displaces one who waits no more than itself.
  assert.ok(gone.includes("flood10") && !gone.includes("a"), gone.join());
});

Deno.test("FairSemaphore takes a free slot at once or not at all, and serves waiters when the limit changes", async () => {
  let limit = 1;
  const slots = new FairSemaphore({ limit: () => limit });
  assert.deepEqual([slots.tryAcquire("a"), slots.tryAcquire("a")], [true, false]);
  const waiting = slots.acquire("b", never);
  limit = 2;
  slots.serve();
  assert.deepEqual(await waiting, true);
});
