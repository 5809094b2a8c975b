/** What a release writes into deno.json and the changelog. */

import assert from "node:assert/strict";
import { withRelease, withVersion } from "../../compile/release.ts";

Deno.test("withVersion() accepts only a later version", () => {
  const text = '{\n  "version": "1.2.3",\n  "imports": {}\n}\n';
  for (const later of ["1.2.4", "1.3.0", "2.0.0", "1.2.10"]) {
    assert.equal(JSON.parse(withVersion(text, later)).version, later);
  }
  for (const earlier of ["1.2.3", "1.2.2", "0.9.9", "1.1.9"]) {
    assert.throws(() => withVersion(text, earlier), /is not later than 1\.2\.3/);
  }
  for (const wrong of ["1.2", "v1.3.0", "1.3.0-rc1", "", "1.3.0 "]) {
    assert.throws(() => withVersion(text, wrong), /is no version/);
  }
});

Deno.test("withRelease() gives the unreleased entries a date, and refuses when there are none", () => {
  const log = "# Changelog\n\n## Unreleased\n\n- new\n\n## 1.0.0 (2026-01-01)\n\n- old\n";
  assert.equal(
    withRelease(log, "1.1.0", "2026-12-01"),
    "# Changelog\n\n## Unreleased\n\n## 1.1.0 (2026-12-01)\n\n- new\n\n" +
      "## 1.0.0 (2026-01-01)\n\n- old\n",
  );
  for (
    const empty of ["# Changelog\n", "## Unreleased\n\n## 1.0.0\n\n- old\n", "## Unreleased\n"]
  ) {
    assert.throws(() => withRelease(empty, "1.1.0", "2026-12-01"), /nothing under/);
  }
});
