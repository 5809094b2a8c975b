/** From the answers of the challenge ports to a row for each balancer. Pure. */

import { formatSocketAddress, type SocketAddress } from "../address.ts";
import { messageOf } from "../errors.ts";
import type { BalancerReport } from "./balancer_report.ts";
import type { BalancerRow, Silence } from "./fleet.ts";
import { readReport } from "./read_report.ts";

/** A challenge port to ask. */
export interface Target {
  address: SocketAddress;
  /** The node of cluster.nodes that has the address. */
  node: string | undefined;
  /** It is the challenge port of this balancer. */
  here: boolean;
}

/** What came of asking it. */
export type Told = { silence: Silence; reason?: string } | { report: BalancerReport };
export type BalancerAnswer = Told & { ms: number };

/** What an answer of status 200 comes to. @param now milliseconds since the epoch */
export function readAnswer(body: string, now: number): Told {
  try {
    return { report: readReport(body, now) };
  } catch (error) {
    return { silence: "bad_report", reason: messageOf(error) };
  }
}

/**
 * The rows, in the order of the targets. Several addresses of one node are one row, and so are two
 * of no node that tell the same instance: an address that one balancer holds must not look as if
 * two held it.
 */
export function fleetRows(
  targets: readonly Target[],
  answers: readonly BalancerAnswer[],
): BalancerRow[] {
  const asked = targets.map((target, i) => ({ target, answer: answers[i]! }));
  const groups = Map.groupBy(asked, ({ target, answer }) => {
    if (target.node !== undefined) return `node ${target.node}`;
    return "report" in answer
      ? `instance ${answer.report.instance}`
      : `address ${formatSocketAddress(target.address)}`;
  });
  return [...groups.values()].map(toRow);
}

function toRow(asked: { target: Target; answer: BalancerAnswer }[]): BalancerRow {
  const best = asked.find(({ answer }) => "report" in answer) ?? asked[0]!;
  const { target, answer } = best;
  const address = formatSocketAddress(target.address);
  const deaf = asked.filter(({ answer }) => !("report" in answer))
    .map(({ target }) => formatSocketAddress(target.address));
  const common = {
    name: target.node ?? address,
    address,
    here: asked.some(({ target }) => target.here),
    ms: answer.ms,
  };
  return "report" in answer
    ? { ...common, report: answer.report, deaf }
    : { ...common, silence: answer.silence, reason: answer.reason, deaf: [] };
}
