import assert from "node:assert/strict";
import { InProgress } from "../lib/in_progress.ts";

Deno.test("an operation that does not return is begun once for each key", async () => {
  const progress = new InProgress<string>();
  const begun: string[] = [];
  const silent = Promise.withResolvers<string>();
  const begin = (name: string) => () => {
    begun.push(name);
    return silent.promise;
  };
  const answers = [
    progress.join("/dead", begin("first")),
    progress.join("/dead", begin("second")),
    progress.join("/other", begin("third")),
  ];
  assert.deepEqual(begun, ["first", "third"]);
  silent.resolve("answer");
  assert.deepEqual(await Promise.all(answers), ["answer", "answer", "answer"]);
});

Deno.test("what has returned, or failed, is begun anew", async () => {
  const progress = new InProgress<number>();
  assert.equal(await progress.join("/a", () => Promise.resolve(1)), 1);
  await assert.rejects(progress.join("/a", () => Promise.reject(new Error("gone"))), /gone/);
  assert.equal(await progress.join("/a", () => Promise.resolve(2)), 2);
});
