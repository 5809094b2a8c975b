/** Which balancer has another configuration, when this one and the others are counted. */

import assert from "node:assert/strict";
import { compareConfigurations, toldConfig } from "../../lib/self_test/configuration_findings.ts";
import { answer, pathTo, silence } from "./evidence.ts";

const [OURS, X, Y] = ["00", "11", "22"];

/** `fail lb1` for a finding at a path, `fail here` for the one on this file; and all texts. */
function found(own: string | undefined, others: (string | undefined)[]) {
  const told = [
    ...own === undefined
      ? []
      : [{ path: pathTo("192.0.2.10", { own: true, of: ["lb0"] }), digest: own }],
    ...others.map((digest, i) => ({
      path: pathTo(`192.0.2.${11 + i}`, { of: [`lb${i + 1}`] }),
      digest,
    })),
  ];
  const { at, here } = compareConfigurations(told, { digest: OURS!, file: "/c.yaml" });
  return {
    where: [
      ...[...at].map(([path, { level }]) => `${level} ${path.own ? "own" : path.of[0]}`),
      ...here.map(({ level }) => `${level} here`),
    ],
    texts: [...at.values(), ...here].map(({ text }) => text).join("\n"),
  };
}

Deno.test("the differing configuration is found by majority, and this balancer's is not recommended when it differs", () => {
  const table: [string, (string | undefined)[], string[], RegExp][] = [
    [OURS!, [OURS, OURS], [], /^$/],
    [
      OURS!,
      [X, OURS],
      ["fail lb1"],
      /^it runs with another .* here and 1 other that agrees; copy the file there/,
    ],
    [OURS!, [X, OURS, OURS], ["fail lb1"], /and 2 others that agree; copy the file there/],
    [
      OURS!,
      [X, X],
      ["fail here"],
      /^this balancer's file differs from 2 that agree \(lb1, lb2\): it is/,
    ],
    [OURS!, [X, X, X], ["fail here"], /^this balancer's file differs from 3 that agree/],
    [OURS!, [X, X, X, OURS], ["fail here"], /though 1 other has the same/],
    [OURS!, [X, X, Y], ["fail lb3", "fail here"], /^it runs with a configuration of its own/],
    [OURS!, [X], ["fail lb1"], /nothing tells which is the right one/],
    [OURS!, [X, X, OURS], ["fail lb1", "fail lb2"], /nothing tells which is the right one/],
    [OURS!, [X, Y], ["fail lb1", "fail lb2"], /nothing tells which/],
    // The process here runs with something else than the file.
    [
      X!,
      [OURS, OURS],
      ["fail own"],
      /^acme-lb runs here with another configuration than \/c\.yaml/,
    ],
    [X!, [X, X], ["fail own", "fail here"], /acme-lb runs here[^]*this balancer's file differs/],
    [OURS!, [undefined, OURS], ["note lb1"], /^its configuration cannot be compared/],
  ];
  for (const [own, others, where, text] of table) {
    const result = found(own, others);
    assert.deepEqual(result.where, where, `${own}: ${others}`);
    assert.match(result.texts, text);
    if (where.includes("fail here")) assert.doesNotMatch(result.texts, /copy (?:the|this) file/);
  }
});

Deno.test("only a 404 of a challenge port carries a configuration digest", () => {
  const challenge = pathTo("192.0.2.11", { port: "challenge" });
  const fields = { "acme-lb-config": X! };
  assert.equal(toldConfig(challenge, answer(404, "", fields))?.digest, X);
  assert.equal(toldConfig(challenge, answer(404))?.digest, undefined);
  assert.notEqual(toldConfig(challenge, answer(404)), undefined);
  assert.equal(toldConfig(challenge, answer(200, "x", fields)), undefined);
  assert.equal(toldConfig(challenge, answer(403, "", fields)), undefined);
  assert.equal(toldConfig(challenge, silence("timeout")), undefined);
  assert.equal(toldConfig(pathTo("192.0.2.11"), answer(404, "", fields)), undefined);
});
