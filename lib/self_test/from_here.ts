/**
 * What cannot be told from this machine, and what concerns nobody: so that self-test claims no more
 * than it has seen, and fails for nothing that the CA never asks.
 */

import { comparableAddress, familyOf } from "../address.ts";
import type { Replies } from "./ask_paths.ts";
import type { Asked } from "./diagnosis_context.ts";
import type { CaOutcome, SelfTestFinding } from "./findings.ts";

/** Families in which a machine has an address that leads to others. */
export function familiesOf(machine: readonly string[]): Set<4 | 6> {
  return new Set(
    machine.map(comparableAddress).filter((one) => !/^(?:127\.|169\.254\.|::1$|fe[89ab])/.test(one))
      .map(familyOf),
  );
}

/** A note in place of every finding on a public path, where nothing can be told from here. */
export function notFromHere(
  { path, replies }: Asked,
  { outcome, families }: { outcome: CaOutcome; families: ReadonlySet<4 | 6> },
): SelfTestFinding | undefined {
  if (outcome === "found") return undefined;
  const { hostname } = path.address;
  const family = familyOf(hostname);
  const { token } = replies;
  const local = /^(?:127\.|::1$)/.test(comparableAddress(hostname));
  if (token.fault !== undefined && !token.connected && !families.has(family) && !local) {
    return {
      level: "note",
      rule: "no_family",
      text:
        `this machine has no IPv${family} address, so ${hostname} cannot be judged from here; ` +
        `run self-test on a balancer with IPv${family}`,
    };
  }
  if (!path.translated) return undefined;
  return {
    level: "note",
    rule: "not_from_here",
    text:
      `${outcome}; it cannot be judged from here, for many a router that translates addresses ` +
      "does not lead back from inside: ask it from outside",
  };
}

/**
 * Findings on an address that no name leads to. What else may answer on port 80 of a balancer's own
 * address is nobody's fault. What acme-lb itself answers there is: it is the next one that holds a
 * virtual address.
 */
export function unlessUnasked(
  findings: SelfTestFinding[],
  { path, replies }: Asked,
): SelfTestFinding[] {
  if (path.published || isAcmeLb(replies)) return findings;
  return findings.map(({ rule, text }) => ({
    level: "note",
    rule,
    text: `${text} (no name leads there, so the CA does not ask it)`,
  }));
}

/** By the fields of every answer of a challenge. */
function isAcmeLb({ token }: Replies): boolean {
  return token.fault === undefined &&
    token.fields["content-security-policy"] === "default-src 'none'; sandbox";
}
