import assert from "node:assert/strict";
import { authorityOf, isExpired, isOlder, isYetToCome } from "../../lib/cert/age.ts";

const DAY = 86_400_000;
const at = (day: number) => new Date(Date.UTC(2026, 10, 1) + day * DAY);
const made = (from: number, to: number, authority = "O=One") => (
  { notBefore: at(from), notAfter: at(to), authority }
);

Deno.test("isExpired and isYetToCome agree on every instant: before, valid, over", () => {
  const dates = made(0, 90);
  const table: [Date, yetToCome: boolean, expired: boolean][] = [
    [at(-1), true, false],
    [new Date(at(0).getTime() - 1), true, false],
    [at(0), false, false],
    [at(89), false, false],
    [new Date(at(90).getTime() - 1), false, false],
    [at(90), false, true],
    [at(91), false, true],
  ];
  for (const [now, yetToCome, expired] of table) {
    assert.equal(isYetToCome(dates, now), yetToCome, now.toISOString());
    assert.equal(isExpired(dates, now), expired, now.toISOString());
  }
});

Deno.test("isOlder goes by the start within one CA, and lets another CA date back", () => {
  const standing = made(0, 90);
  const table: [what: string, candidate: ReturnType<typeof made>, answer: string][] = [
    ["the same", made(0, 90), "no"],
    ["renewed", made(60, 150), "no"],
    ["renewed for six days", made(60, 66), "no"],
    ["renewed by another CA", made(1, 91, "O=Two"), "no"],
    ["yesterday's", made(-1, 89), "older"],
    ["yesterday's, of a longer life", made(-1, 364), "older"],
    ["another CA, dated back by nine days", made(-9, 91, "O=Two"), "backdated"],
    ["another CA, dated back by an hour", made(-1 / 24, 91, "O=Two"), "backdated"],
    ["another CA, for a year", made(-1, 364, "CN=Two"), "backdated"],
    ["another CA, ends earlier", made(-9, 81, "O=Two"), "older"],
    ["another CA, ends at the same time", made(-9, 90, "O=Two"), "older"],
    ["another CA, a six-day one of last week", made(-7, -1, "O=Two"), "older"],
  ];
  for (const [what, candidate, answer] of table) {
    assert.equal(isOlder(candidate, standing), answer, what);
  }
});

Deno.test("authorityOf is the same for all intermediates of a CA that names itself", () => {
  const issuer = (...pairs: [string, string][]) =>
    authorityOf({ attributes: pairs.map(([type, value]) => ({ type, value })) });
  const encrypt: [string, string] = ["O", "Let's Encrypt"];
  assert.equal(
    issuer(["C", "US"], encrypt, ["CN", "R10"]),
    issuer(["C", "US"], encrypt, ["CN", "E6"]),
  );
  assert.notEqual(issuer(encrypt, ["CN", "R10"]), issuer(["O", "ZeroSSL"], ["CN", "R10"]));
  assert.notEqual(issuer(["CN", "One"]), issuer(["CN", "Two"]));
  assert.equal(issuer(["CN", "One"]), issuer(["CN", "One"]));
});
