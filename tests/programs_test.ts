import assert from "node:assert/strict";
import {
  PROGRAMS,
  programsDifferences,
  programsPage,
  readProgramsPage,
  type Versions,
  versionsIn,
} from "./programs.ts";

const PAGE = await Deno.readTextFile(new URL("../docs/programs.md", import.meta.url));

Deno.test("versionsIn() takes the upstream version of what is installed", () => {
  assert.deepEqual(
    [...versionsIn(
      "installed haproxy 3.0.11-1+deb13u4\ninstalled keepalived 1:2.3.4-1+b2\n" +
        "not-installed nginx \ninstalled acme.sh 3.1.5+~cs0.0.20260919-1\n" +
        "installed pebble 2.10.0+ds1-2\ninstalled openssl 3.5.9-1~deb13u1\n",
    )],
    [
      ["haproxy", "3.0.11"],
      ["keepalived", "2.3.4"],
      ["acme.sh", "3.1.5"],
      ["pebble", "2.10.0"],
      ["openssl", "3.5.9"],
    ],
  );
});

Deno.test("docs/programs.md is as a run of all tests writes it", () => {
  const releases = readProgramsPage(PAGE);
  assert.equal(programsPage(releases), PAGE);
  assert.deepEqual([...releases.keys()], ["bookworm", "trixie", "sid"]);
  for (const [release, versions] of releases) {
    const absent = PROGRAMS.filter((program) => !versions.has(program));
    const expected = release === "bookworm"
      ? ["acme.sh", "caddy", "icinga2-bin", "nagios4-core"]
      : [];
    assert.deepEqual(absent, expected, release);
  }
});

Deno.test("programsDifferences() names what the page does not say, and lets unstable move", () => {
  const changed = (release: string, program: string, version?: string): Map<string, Versions> => {
    const versions = new Map(readProgramsPage(PAGE).get(release));
    if (version === undefined) versions.delete(program);
    else versions.set(program, version);
    return new Map([[release, versions]]);
  };
  assert.deepEqual(programsDifferences(PAGE, readProgramsPage(PAGE)), []);
  assert.deepEqual(programsDifferences(PAGE, new Map([["potato", new Map()]])), [
    "potato is missing",
  ]);
  assert.deepEqual(programsDifferences(PAGE, changed("bookworm", "haproxy", "2.6.99")), []);
  assert.match(
    programsDifferences(PAGE, changed("bookworm", "haproxy", "2.8.1")).join(),
    /^bookworm: haproxy is 2\.8\.1, not 2\.6\.\d+$/,
  );
  assert.deepEqual(programsDifferences(PAGE, changed("sid", "haproxy", "9.9.9")), []);
  assert.match(programsDifferences(PAGE, changed("sid", "haproxy")).join(), /haproxy is absent/);
});
