/**
 * Results that are uncertain from this machine, or that do not matter to the CA, so that self-test
 * claims only what it has seen, and fails only for what the CA asks.
 */

import { familyOf, isLocalOnly, isLoopback } from "../address.ts";
import type { Replies } from "./ask_paths.ts";
import type { Asked } from "./diagnosis_context.ts";
import type { CaOutcome, SelfTestFinding } from "./findings.ts";

/** Families in which a machine has an address that leads to others. */
export function familiesOf(machine: readonly string[]): Set<4 | 6> {
  return new Set(machine.filter((one) => !isLocalOnly(one)).map(familyOf));
}

/** A note in place of every finding on a public path that cannot be tested from here. */
export function notFromHere(
  { path, replies }: Asked,
  { outcome, families }: { outcome: CaOutcome; families: ReadonlySet<4 | 6> },
): SelfTestFinding | undefined {
  if (outcome === "found") return undefined;
  const { hostname } = path.address;
  const family = familyOf(hostname);
  const { token } = replies;
  const silent = "fault" in token && !token.connected;
  if (silent && !families.has(family) && !isLoopback(hostname)) {
    const text =
      `this machine has no IPv${family} address, so ${hostname} cannot be tested from here; ` +
      `run self-test on a balancer with IPv${family}`;
    return { level: "note", rule: "no_family", text };
  }
  if (!path.translated) return undefined;
  const text =
    `${outcome}; it cannot be tested from here, because many routers that translate addresses do ` +
    "not allow this from inside: ask it from outside";
  return { level: "note", rule: "not_from_here", text };
}

/**
 * Findings on an address that no name leads to. It is no fault when another program answers on port
 * 80 of a balancer's own address. An answer of acme-lb itself counts: it is the next one that holds
 * a virtual address.
 */
export function unlessUnasked(
  findings: SelfTestFinding[],
  { path, replies }: Asked,
): SelfTestFinding[] {
  if (path.published || isAcmeLb(replies)) return findings;
  return findings.map(({ rule, text }) => ({
    level: "note",
    rule,
    text: `${text} (no name has this address, so the CA does not ask it)`,
  }));
}

/** By the fields of every answer of a challenge. */
function isAcmeLb({ token }: Replies): boolean {
  return !("fault" in token) &&
    token.fields["content-security-policy"] === "default-src 'none'; sandbox";
}
