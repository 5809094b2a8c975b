/** Lines for a reader that reads slowly, partly, no more, or not at all. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { createLineQueue } from "../lib/line_queue.ts";

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A descriptor that takes what the test lets it take. */
function descriptor() {
  let text = "";
  let under = 0;
  let most = 0;
  const waiting: (() => void)[] = [];
  return {
    get text() {
      return text;
    },
    get writes() {
      return most;
    },
    /** Lets the write that waits go through. */
    release: () => waiting.shift()?.(),
    /** Takes so many bytes of each write, once released. */
    write: (limit: number) => async (bytes: Uint8Array) => {
      most = Math.max(most, ++under);
      await new Promise<void>((resolve) => waiting.push(resolve));
      under--;
      const part = bytes.subarray(0, limit);
      text += new TextDecoder().decode(part);
      return part.length;
    },
  };
}

Deno.test("createLineQueue() never waits, bounds what waits, and has one write under way", async () => {
  const stderr = descriptor();
  const queue = createLineQueue(stderr.write(Infinity), { maxWaiting: 100 });
  const line = `${"x".repeat(9)}\n`;
  const taken = Array.from({ length: 1000 }, () => queue.push(line)).filter(Boolean).length;
  assert.deepEqual(taken, 10);
  assert.deepEqual(await queue.flush(10), false);
  assert.deepEqual(stderr.writes, 1);
  // The reader is back: what was taken is written whole, and there is room again.
  for (let i = 0; i < 5; i++) {
    stderr.release();
    await turn();
  }
  assert.deepEqual(stderr.text, line.repeat(10));
  assert.deepEqual(await queue.flush(10), true);
  assert.deepEqual(queue.push(line), true);
  assert.deepEqual(stderr.writes, 1);
});

Deno.test("createLineQueue() keeps lines whole and in order with writes of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ maxLength: 30 }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 50 }),
      async (texts, limit) => {
        const bytes: number[] = [];
        const queue = createLineQueue((part) => {
          const taken = part.subarray(0, limit);
          bytes.push(...taken);
          return Promise.resolve(taken.length);
        });
        for (const text of texts) assert.ok(queue.push(`${text}\n`));
        assert.ok(await queue.flush(10_000));
        assert.deepEqual(
          new TextDecoder().decode(Uint8Array.from(bytes)),
          texts.map((text) => `${text}\n`).join(""),
        );
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("createLineQueue() continues after a failed write", async () => {
  const written: string[] = [];
  let failing = true;
  const queue = createLineQueue((bytes) => {
    if (failing) return Promise.reject(new Deno.errors.BrokenPipe("write"));
    written.push(new TextDecoder().decode(bytes));
    return Promise.resolve(bytes.length);
  });
  assert.ok(queue.push("lost\n"));
  assert.ok(await queue.flush(1000));
  failing = false;
  assert.ok(queue.push("kept\n"));
  assert.ok(await queue.flush(1000));
  assert.deepEqual(written, ["kept\n"]);
});

Deno.test("createLineQueue() writes a line that is longer than one write", async () => {
  let size = 0;
  const queue = createLineQueue((bytes) => {
    size += bytes.length;
    return Promise.resolve(bytes.length);
  });
  assert.ok(queue.push(`${"x".repeat(100_000)}\n`));
  assert.ok(queue.push("y\n"));
  assert.ok(await queue.flush(1000));
  assert.deepEqual(size, 100_003);
});
