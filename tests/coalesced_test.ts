import assert from "node:assert/strict";
import { coalesced } from "../lib/coalesced.ts";

/** An action whose runs end when they are told to. */
function manual() {
  const runs: (() => void)[] = [];
  const action = () => new Promise<void>((resolve) => void runs.push(resolve));
  return { runs, request: coalesced(action) };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("a hundred requests while one runs cost one run more", async () => {
  const { runs, request } = manual();
  const first = request();
  await turn();
  const others = Array.from({ length: 100 }, request);
  await turn();
  assert.equal(runs.length, 1, "one run at a time");
  runs[0]!();
  await first;
  await turn();
  assert.equal(runs.length, 2);
  runs[1]!();
  await Promise.all(others);
  await turn();
  assert.equal(runs.length, 2);
});

Deno.test("a request during a run is answered by a run that begins after it", async () => {
  const { runs, request } = manual();
  void request();
  await turn();
  let answered = false;
  const late = request().then(() => answered = true);
  runs[0]!();
  await turn();
  assert.equal(answered, false);
  runs[1]!();
  await late;
});

Deno.test("requests one after the other have a run each", async () => {
  const { runs, request } = manual();
  for (let round = 0; round < 3; round++) {
    const answer = request();
    await turn();
    runs[round]!();
    await answer;
  }
  assert.equal(runs.length, 3);
});
