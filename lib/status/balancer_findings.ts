/** What is wrong with one balancer: that it is silent, or what it says of itself. */

import { formatSpan } from "../time.ts";
import type { BalancerReport } from "./balancer_report.ts";
import type { BalancerRow, FleetView, Silence } from "./fleet.ts";
import { agoAt } from "./instants.ts";
import type { StatusFinding, StatusLevel, StatusRule } from "./status_finding.ts";

/** The findings of each row, in their order. */
export function findBalancerFaults(view: FleetView): StatusFinding[] {
  return [
    ...view.rows.flatMap((row) => row.report ? [] : [silentFinding(row)]),
    ...view.rows.flatMap((row) => row.report ? ownFindings(row, row.report, view) : []),
  ];
}

const SILENCE: Record<Silence, (address: string) => string> = {
  timeout: (address) =>
    `does not answer on ${address} in time: the machine is down, or a firewall drops what comes ` +
    "from here",
  refused: (address) =>
    `nothing listens on ${address}: look there with systemctl status acme-lb, or correct its port ` +
    "in peers",
  reset: (address) =>
    `${address} ends the connection without an answer: look there with journalctl -u acme-lb`,
  unreachable: (address) =>
    `there is no way to ${address}: the machine is down or off the network, see ip route get there`,
  unresolved: () => "the name has no address here: see the resolver, or write it into /etc/hosts",
  empty: (address) => `${address} answers nothing: it is no acme-lb`,
  bad_framing: (address) => `${address} does not speak HTTP as a balancer does: it is no acme-lb`,
  too_large: (address) => `${address} sends more than a report may hold: it is no acme-lb`,
  bad_status: (address) =>
    `${address} answers with an error: look there with journalctl -u acme-lb`,
  redirected: (address) =>
    `${address} answers with a redirect: peers must name its challenge port, not its public one`,
  not_told: (address) =>
    `${address} tells this balancer nothing of itself: it is no acme-lb of this version, or has no ` +
    "address of this balancer in its peers or cluster.nodes",
  bad_report: (address) => `${address} sends no report that can be used`,
};

function silentFinding({ name, address, silence = "timeout", reason }: BalancerRow): StatusFinding {
  const lies = silence === "bad_report" || silence === "too_large" || silence === "bad_framing";
  const why = reason === undefined ? "" : ` (${reason})`;
  return {
    level: "fail",
    rule: lies ? "bad_report" : "silent",
    about: name,
    text: SILENCE[silence](address) + why,
  };
}

/** A synchronised clock is right within a fraction of a second; both bounds as in self-test. */
const CLOCK_WARN = 5_000;
const CLOCK_FAIL = 5 * 60_000;

/** What is wrong with one balancer by its own words. */
function ownFindings(row: BalancerRow, report: BalancerReport, view: FleetView): StatusFinding[] {
  const { name, deaf } = row;
  const { expected, now } = view;
  const findings: StatusFinding[] = [];
  const add = (level: StatusLevel, rule: StatusRule, text: string) =>
    findings.push({ level, rule, about: name, text });

  const named = report.name;
  if (named !== null && expected.nodes.length > 0 && !expected.nodes.includes(named)) {
    add(
      "fail",
      "foreign",
      `says that it is ${named}, which is not in cluster.nodes here: is it a balancer of another fleet?`,
    );
  } else if (named !== null && named !== name && expected.nodes.includes(name)) {
    add(
      "fail",
      "foreign",
      `says that it is ${named}: cluster.nodes here and there give its address to two balancers`,
    );
  }
  const unknown = report.holds.filter(({ address }) =>
    !expected.virtualAddresses.includes(address)
  );
  if (unknown.length > 0) {
    const list = unknown.map(({ address }) => address).slice(0, 5).join(", ");
    const text = `holds ${list} as virtual, which cluster.virtual_addresses here does not name`;
    add("warn", "address_unknown", text);
  }
  const off = Date.parse(report.now) - now.getTime();
  // Both are cut to the second, and the answer has travelled.
  if (Math.abs(off) > CLOCK_WARN) {
    const direction = off > 0 ? "ahead of" : "behind";
    const text = `its clock is ${
      formatSpan(Math.abs(off))
    } ${direction} the one here: run timedatectl on both`;
    add(Math.abs(off) > CLOCK_FAIL ? "fail" : "warn", "clock", text);
  }
  for (const address of deaf) {
    const text = `answers, but not on ${address}: correct it in peers, or open its firewall`;
    add("warn", "deaf_address", text);
  }
  for (const fault of report.health.faults) {
    add("fail", "unhealthy", `its /healthz fails: ${fault}: look there with journalctl -u acme-lb`);
  }
  for (const note of report.health.notes) add("warn", "unhealthy", `says of itself: ${note}`);
  if (report.hook?.ok === false) {
    const { client, out, at, text } = report.hook;
    add(
      "fail",
      "hook",
      `the hook of ${client} for ${out} failed ${agoAt(at, report)}: ${text}; ` +
        "when that is mended, run the client's renewal with its hook again",
    );
  }
  if (report.certificates_total === null) {
    const text =
      "has not looked at its certificates yet: ask again; if that stays, a file system " +
      "or a HAProxy there does not answer";
    add("warn", "unwatched", text);
  } else if (report.certificates_total === 0) {
    add("note", "unwatched", "watches no certificate: name the files under certificates");
  }
  return findings;
}
