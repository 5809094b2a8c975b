/** The ranking against counting: the largest group is one that no other exceeds. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Ranked, SizeRanking } from "../../lib/http/size_ranking.ts";

Deno.test("SizeRanking names a largest group after any growth and shrinking by one", () => {
  const steps = fc.array(fc.tuple(fc.nat(5), fc.boolean()), { maxLength: 200 });
  fc.assert(fc.property(steps, (steps) => {
    const groups = Array.from(
      { length: 6 },
      () => ({ size: 0, entry: undefined as Ranked["entry"] }),
    );
    const ranking = new SizeRanking<(typeof groups)[number]>();
    for (const [i, grows] of steps) {
      const group = groups[i]!;
      if (grows) {
        group.size++;
        ranking.grew(group);
      } else if (group.size > 0) {
        group.size--;
        ranking.shrank(group);
      }
      assert.deepEqual(ranking.largest?.size ?? 0, Math.max(...groups.map(({ size }) => size)));
    }
  }));
});
