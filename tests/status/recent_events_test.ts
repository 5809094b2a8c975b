import assert from "node:assert/strict";
import { BOUNDS } from "../../lib/status/balancer_report.ts";
import { createRecentEvents } from "../../lib/status/recent_events.ts";

const NOW = Date.parse("2026-11-25T12:00:00.900Z");
const event = { token: "Px5gnHjdtZ3T0oCPeBXb2dHA", from: "192.0.2.9", ms: 4 };

Deno.test("challenges are listed newest first, with a shortened token and where they were found", () => {
  const events = createRecentEvents({ now: () => NOW });
  events.challenge({ ...event, source: "own", status: 200 });
  events.challenge({ ...event, source: "peer", peer: "192.0.2.12:31080", status: 200 });
  events.challenge({ ...event, source: undefined, status: 404 });
  const at = "2026-11-25T12:00:00Z";
  const common = { at, token: "Px5gnHjd", from: "192.0.2.9", ms: 4 };
  assert.deepEqual(events.challenges(), [
    { ...common, source: null, status: 404 },
    { ...common, source: "192.0.2.12:31080", status: 200 },
    { ...common, source: "own", status: 200 },
  ]);
});

Deno.test("a scanner's requests do not displace those of a CA, and both lists are bounded", () => {
  const events = createRecentEvents({ now: () => NOW });
  events.challenge({ ...event, source: "own", status: 200 });
  for (let i = 0; i < 1000; i++) events.challenge({ ...event, source: undefined, status: 404 });
  const told = events.challenges();
  assert.deepEqual(told.length, BOUNDS.challenges / 2 + 1);
  assert.deepEqual(told.at(-1)!.status, 200);
});

Deno.test("the last outcome of each peer is kept, for a bounded number of peers", () => {
  const events = createRecentEvents({ now: () => NOW });
  events.contact("192.0.2.12:31080", "timeout");
  events.contact("192.0.2.12:31080", "found");
  assert.deepEqual(events.contacts(), [
    { peer: "192.0.2.12:31080", outcome: "found", at: "2026-11-25T12:00:00Z" },
  ]);
  for (let i = 0; i < 1000; i++) events.contact(`192.0.2.12:${i}`, "found");
  assert.deepEqual(events.contacts().length, BOUNDS.peers);
  assert.deepEqual(events.contacts().at(-1)!.peer, "192.0.2.12:999");
});
