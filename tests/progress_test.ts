import assert from "node:assert/strict";
import { whileShowing } from "../lib/progress.ts";

/** Work that ends when `enough` has been written, or at once. */
async function shown(terminal: boolean, enough: number) {
  const written: string[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  if (enough === 0) resolve("done");
  const write = (text: string) => {
    written.push(text);
    if (written.length === enough) resolve("done");
  };
  assert.equal(
    await whileShowing("waiting for a", promise, { terminal, write, everyMs: 5 }),
    "done",
  );
  return written;
}

Deno.test("whileShowing counts on a terminal and leaves its line empty", async () => {
  assert.deepEqual(await shown(true, 2), [
    ...["\rwaiting for a … 1 s\x1b[K", "\rwaiting for a … 2 s\x1b[K", "\r\x1b[K"],
  ]);
});

Deno.test("whileShowing writes nothing when it is quick, or when there is no terminal", async () => {
  assert.deepEqual(await shown(true, 0), []);
  assert.deepEqual(await shown(false, 0), []);
});

Deno.test("whileShowing() passes an error on and cleans up", async () => {
  const written: string[] = [];
  const { promise, reject } = Promise.withResolvers<void>();
  const write = (text: string) => {
    written.push(text);
    reject(new Error("no"));
  };
  await assert.rejects(whileShowing("x", promise, { terminal: true, write, everyMs: 1 }), /no/);
  assert.equal(written.at(-1), "\r\x1b[K");
});
