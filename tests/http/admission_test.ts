/** Who makes room for whom, with plain values. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { networksOf, sourceOf } from "../../lib/address.ts";
import { type Activity, Admissions, Place } from "../../lib/http/admission.ts";

/** Connections by name, and the names of those that made room, in order. */
class Scene {
  readonly evicted: string[] = [];
  readonly admissions: Admissions;
  #places = new Map<string, Place>();

  constructor(connections: number, perSource = connections) {
    this.admissions = new Admissions({ connections, perSource });
  }

  enter(name: string, address: string, activity: Activity = "waiting"): string {
    const abort = () => {
      this.evicted.push(name);
      this.leave(name);
    };
    const place = this.admissions.enter(sourceOf(address), { abort });
    if (!(place instanceof Place)) return place;
    this.#places.set(name, place);
    if (activity !== "waiting") place.become(activity);
    return "admitted";
  }

  become(name: string, activity: Activity): void {
    this.#places.get(name)!.become(activity);
  }

  leave(name: string): void {
    this.#places.get(name)!.leave();
    this.#places.delete(name);
  }

  /** A flood of so many connections, from these addresses in turn. */
  flood(count: number, addresses: string[]): void {
    for (let i = 0; i < count; i++) this.enter(`flood${i}`, addresses[i % addresses.length]!);
  }
}

Deno.test("idle connections are closed first, then waiting ones, then lingering ones", () => {
  const scene = new Scene(4);
  scene.enter("lingering", "192.0.2.1", "lingering");
  scene.enter("waiting", "192.0.2.2");
  scene.enter("older idle", "192.0.2.3", "idle");
  scene.enter("idle", "192.0.2.4", "idle");
  for (let i = 0; i < 4; i++) {
    assert.deepEqual(scene.enter(`new${i}`, "192.0.2.5", "answering"), "admitted");
  }
  assert.deepEqual(scene.evicted, ["older idle", "idle", "waiting", "lingering"]);
  assert.deepEqual(scene.enter("one more", "192.0.2.6"), "full");
});

Deno.test("a new connection displaces the longest waiting one of the source that holds most", () => {
  const scene = new Scene(10);
  scene.enter("first", "192.0.2.1");
  for (let i = 0; i < 5; i++) scene.enter(`flood${i}`, "198.51.100.1");
  scene.enter("second", "192.0.2.1");
  for (const i of [1, 2, 3]) scene.enter(`other${i}`, `203.0.113.${i}`);
  scene.enter("a", "203.0.113.9");
  scene.enter("b", "203.0.113.9");
  assert.deepEqual(scene.evicted, ["flood0", "flood1"]);
});

Deno.test("when every source has one connection, the network that holds most loses one", () => {
  const table: [string, string[], string[]][] = [
    ["a /24", ["198.51.100.1", "198.51.100.2", "198.51.100.3"], ["192.0.2.1", "203.0.113.1"]],
    [
      "a /56",
      ["2001:db8:1:101::1", "2001:db8:1:102::1", "2001:db8:1:1ff::1"],
      ["2001:db8:1:201::1", "2001:db8:2:101::1"],
    ],
    [
      "a /48",
      ["2001:db8:1:100::1", "2001:db8:1:200::1", "2001:db8:1:300::1"],
      ["2001:db8:2::1", "2001:db8:3::1"],
    ],
    ["a /48 beside IPv4", ["2001:db8:1:100::1", "2001:db8:1:200::1"], [
      "192.0.2.1",
      "198.51.100.1",
    ]],
    [
      "NAT64, by its IPv4 part",
      ["64:ff9b::c633:6401", "198.51.100.2", "64:ff9b::c633:6403"],
      ["64:ff9b::c000:201", "64:ff9b::cb00:7101"],
    ],
  ];
  for (const [what, many, few] of table) {
    const scene = new Scene(many.length + few.length);
    for (const address of [...few, ...many]) scene.enter(address, address);
    scene.enter("new", "100.64.0.1");
    assert.deepEqual(scene.evicted, [many[0]], what);
  }
});

Deno.test("the oldest connection is closed when no network holds more than another", () => {
  const scene = new Scene(3);
  for (const address of ["192.0.2.1", "198.51.100.1", "203.0.113.1"]) scene.enter(address, address);
  scene.enter("new", "100.64.0.1");
  assert.deepEqual(scene.evicted, ["192.0.2.1"]);
});

Deno.test("in every kind of flood another source's connection is kept until its head has come", () => {
  const floods: Record<string, string[]> = {
    "one address": ["198.51.100.1"],
    "20 addresses": Array.from({ length: 20 }, (_, i) => `198.51.${i}.1`),
    "2,000 addresses": Array.from(
      { length: 2_000 },
      (_, i) => `100.${i % 100}.${i >> 8}.${i & 255}`,
    ),
    "one /24": Array.from({ length: 250 }, (_, i) => `198.51.100.${i}`),
    "one /60": Array.from({ length: 16 }, (_, i) => `2001:db8:0:f${i.toString(16)}::1`),
    "one /48": Array.from({ length: 5_000 }, (_, i) => `2001:db8:1:${i.toString(16)}::1`),
  };
  for (const [what, addresses] of Object.entries(floods)) {
    const scene = new Scene(512, 64);
    scene.flood(2_000, addresses);
    scene.evicted.length = 0;
    scene.enter("CA", "192.0.2.1");
    // As many as come within a second of a bad flood; the head takes a tenth of that.
    scene.flood(300, addresses);
    assert.ok(!scene.evicted.includes("CA"), what);
  }
});

Deno.test("a burst of the CA does not count as the largest network among thousands of sources", () => {
  const scene = new Scene(4_096, 256);
  scene.flood(4_096, Array.from({ length: 2_048 }, (_, i) => `100.${i >> 8}.${i & 255}.1`));
  for (let i = 0; i < 20; i++) scene.enter(`CA${i}`, "192.0.2.1");
  scene.flood(1_000, Array.from({ length: 2_048 }, (_, i) => `100.${i >> 8}.${i & 255}.1`));
  assert.deepEqual(scene.evicted.filter((name) => name.startsWith("CA")), []);
});

Deno.test("at its cap a source displaces its own connections and nobody else's", () => {
  const scene = new Scene(100, 2);
  scene.enter("other", "192.0.2.1");
  scene.enter("a", "198.51.100.1");
  scene.enter("b", "198.51.100.1", "idle");
  scene.enter("c", "198.51.100.1", "answering");
  scene.enter("d", "198.51.100.1", "answering");
  assert.deepEqual(scene.evicted, ["b", "a"]);
  assert.deepEqual(scene.enter("e", "198.51.100.1"), "source_full");
  assert.deepEqual(scene.enter("f", "198.51.100.2"), "admitted");
});

Deno.test("a connection that is being answered is never closed, and one whose head came no longer counts as waiting", () => {
  const scene = new Scene(2);
  scene.enter("a", "192.0.2.1");
  scene.enter("b", "192.0.2.2");
  scene.become("a", "answering");
  scene.enter("c", "192.0.2.3");
  scene.become("a", "idle");
  scene.enter("d", "192.0.2.4");
  assert.deepEqual(scene.evicted, ["b", "a"]);
});

Deno.test("totals stay correct through any sequence, and closed connections leave no entry", () => {
  const address = fc.constantFrom("192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1", "::1");
  const activity = fc.constantFrom<Activity[]>("waiting", "answering", "idle", "lingering");
  const step = fc.tuple(fc.constantFrom("enter", "become", "leave"), fc.nat(50), address, activity);
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const admissions = new Admissions({ connections: 12, perSource: 5 });
    const open = new Map<Place, string>();
    for (const [what, index, address, activity] of steps) {
      const chosen = [...open.keys()][index % Math.max(1, open.size)];
      if (what === "enter") {
        const abort = () => {
          open.delete(place as Place);
          (place as Place).leave();
        };
        const place = admissions.enter(sourceOf(address), { abort });
        if (place instanceof Place) open.set(place, address);
      } else if (chosen && what === "become") chosen.become(activity);
      else if (chosen) {
        open.delete(chosen);
        chosen.leave();
      }
      assert.deepEqual(admissions.total, open.size);
      assert.ok(open.size <= 12);
    }
    for (const place of [...open.keys()]) {
      place.become("waiting");
    }
    while (admissions.makeRoom());
    assert.deepEqual([admissions.total, open.size], [0, 0]);
  }));
});

Deno.test("networksOf() names the /56 and /48, or the /24", () => {
  const table: [string, [string, string]][] = [
    ["192.0.2.1", ["192.0.2", "192.0.2"]],
    ["2001:db8:1:2ff::1", ["2001:db8:1:2", "2001:db8:1"]],
    ["2001:db8:1:201::1", ["2001:db8:1:2", "2001:db8:1"]],
    ["2001:db8:1:ff::1", ["2001:db8:1:0", "2001:db8:1"]],
    ["64:ff9b::192.0.2.1", ["192.0.2", "192.0.2"]],
    ["::ffff:192.0.2.1", ["192.0.2", "192.0.2"]],
  ];
  for (const [address, networks] of table) {
    assert.deepEqual(networksOf(sourceOf(address)), networks, address);
  }
});
