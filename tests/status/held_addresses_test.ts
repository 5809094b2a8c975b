import assert from "node:assert/strict";
import { createHeldAddresses } from "../../lib/status/held_addresses.ts";

/** A clock that stands until it is moved, and wakes whoever is due. */
function handClock() {
  let now = Date.parse("2026-11-25T12:00:00Z");
  const waiting = new Set<{ due: number; wake: () => void }>();
  return {
    clock: {
      now: () => now,
      monotonic: () => now,
      schedule(ms: number, wake: () => void) {
        const entry = { due: now + ms, wake };
        waiting.add(entry);
        return () => void waiting.delete(entry);
      },
    },
    waiting,
    advance(ms: number) {
      for (const end = now + ms; now < end;) {
        now += 1000;
        for (const entry of [...waiting]) {
          if (entry.due > now || !waiting.delete(entry)) continue;
          entry.wake();
        }
      }
    },
  };
}

const BOTH = ["2001:db8::1", "192.0.2.1"];

function setUp(addresses: string[]) {
  const { clock, waiting, advance } = handClock();
  const here = new Set(addresses);
  const held = createHeldAddresses({ interfaceAddresses: () => [...here], clock });
  return { held, here, waiting, advance };
}

Deno.test("an address present at the start is held since before it, a later one since it came", () => {
  const { held, here, advance } = setUp(["::1", "2001:DB8::1"]);
  held.watch(BOTH);
  assert.deepEqual(held.held(BOTH), [{ address: "2001:db8::1", since: null }]);
  advance(5000);
  here.add("192.0.2.1");
  advance(1000);
  advance(60_000);
  assert.deepEqual(held.held(BOTH), [
    { address: "2001:db8::1", since: null },
    { address: "192.0.2.1", since: "2026-11-25T12:00:06Z" },
  ]);
});

Deno.test("a removed address is no longer held at once, and is held anew when it comes back", () => {
  const { held, here, advance } = setUp(["192.0.2.1"]);
  held.watch(["192.0.2.1"]);
  here.delete("192.0.2.1");
  assert.deepEqual(held.held(["192.0.2.1"]), []);
  advance(10_000);
  here.add("192.0.2.1");
  advance(3_000);
  assert.deepEqual(held.held(["192.0.2.1"]), [{
    address: "192.0.2.1",
    since: "2026-11-25T12:00:11Z",
  }]);
});

Deno.test("a reload keeps what is known of the addresses that stay", () => {
  const { held, here, advance } = setUp([]);
  held.watch(["192.0.2.1", "192.0.2.2"]);
  here.add("192.0.2.1");
  advance(1000);
  // Held all along, but nobody looked for it.
  here.add("192.0.2.3");
  held.watch(["192.0.2.1", "192.0.2.3"]);
  assert.deepEqual(held.held(["192.0.2.1", "192.0.2.2", "192.0.2.3"]), [
    { address: "192.0.2.1", since: "2026-11-25T12:00:01Z" },
    { address: "192.0.2.3", since: null },
  ]);
});

Deno.test("addresses are not polled without virtual addresses, or after the end", () => {
  const { held, waiting } = setUp(["192.0.2.1"]);
  held.watch([]);
  assert.deepEqual(waiting.size, 0);
  held.watch(["192.0.2.1"]);
  held.watch(["192.0.2.1"]);
  assert.deepEqual(waiting.size, 1);
  held.stop();
  assert.deepEqual(waiting.size, 0);
});
