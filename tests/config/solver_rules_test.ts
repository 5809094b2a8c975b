/** Where solvers may be: beside acme-lb, and not where it listens itself. */

import assert from "node:assert/strict";
import { misplacedSolvers } from "../../lib/config/solver_rules.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { mistakesIn } from "./mistakes_in.ts";

/** What is wrong with a configuration that has this solver; empty when nothing is. */
function said(solver: string, more = ""): string {
  return mistakesIn(`challenge: { solvers: ["${solver}"] }\n${more}`).join("\n");
}

const NODES = 'cluster: { nodes: { lb0: ["2001:db8::f001", "192.0.2.11"] } }\n';

Deno.test("challenge.solvers accepts loopback, and addresses of the nodes", () => {
  for (const solver of ["127.0.0.1:31081", "[::1]:402", "127.9.9.9:1", "127.0.0.1:8080"]) {
    assert.deepEqual(said(solver), "", solver);
  }
  for (const solver of ["192.0.2.11:31081", "[2001:DB8:0::F001]:31081"]) {
    assert.deepEqual(said(solver, NODES), "", solver);
  }
});

Deno.test("challenge.solvers refuses addresses of other machines, invalid addresses and acme-lb's own ports", () => {
  const table: [string, RegExp][] = [
    ["192.0.2.12:31081", /solvers\[0\]: 192\.0\.2\.12:31081 is not an address of this machine/],
    ["[2001:db8::f002]:31081", /is not an address of this machine/],
    ["127.0.0.1:31080", /is challenge\.listen\[0\], where acme-lb itself listens/],
    ["[::1]:80", /is public\.listen\[0\], where acme-lb itself listens/],
    ["[::]:31081", /a solver needs one address/],
    ["0.0.0.0:31081", /a solver needs one address/],
    ["127.0.0.1:0", /port 0 cannot be asked/],
    ["localhost:31081", /"localhost" is not an IPv4 address/],
    ["127.0.0.1", /expected \[IPv6\]:port or IPv4:port/],
  ];
  for (const [solver, expected] of table) assert.match(said(solver, NODES), expected, solver);
});

Deno.test("challenge.solvers is not judged by a machine that has no network", () => {
  const config = parseConfig('challenge: { solvers: ["127.0.0.1:31081"] }', "config.yaml");
  config.challenge.solvers.push({ hostname: "192.0.2.12", port: 31081 });
  const mistakes = (machine: string[]) =>
    misplacedSolvers(config, machine).map(({ path }) => path[2]);
  assert.deepEqual(mistakes(["127.0.0.1", "::1", "fe80::1", "192.0.2.11"]), [1]);
  assert.deepEqual(mistakes(["127.0.0.1", "::1", "fe80::1", "192.0.2.12"]), []);
  // In a unit with PrivateNetwork, and while a machine starts.
  for (const machine of [[], ["127.0.0.1", "::1"], ["127.0.0.1", "fe80::1"]]) {
    assert.deepEqual(mistakes(machine), []);
  }
});
