/** Differences between the balancers, and which of them does not reach which. */

import type { FleetView } from "./fleet.ts";
import { isReached } from "./reach.ts";
import { agoAt } from "./instants.ts";
import type { StatusFinding } from "./status_finding.ts";

/** Configurations that differ, versions that differ, peers that one balancer does not reach. */
export function findDisagreements(view: FleetView): StatusFinding[] {
  return [
    ...differingConfigurations(view),
    ...differingVersions(view),
    ...unreachedPeers(view),
  ];
}

/**
 * The configuration of the majority is taken for the right one; without a majority, the one here.
 */
function differingConfigurations({ rows, expected }: FleetView): StatusFinding[] {
  const told = rows.flatMap(({ name, here, report }) =>
    report ? [{ name, here, config: report.config }] : []
  );
  const counts = Map.groupBy(told, ({ config }) => config);
  if (counts.size < 2) return [];
  const most = Math.max(...[...counts.values()].map((list) => list.length));
  const leading = [...counts.keys()].filter((config) => counts.get(config)!.length === most);
  const right = leading.length === 1
    ? leading[0]!
    : told.find(({ here }) => here)?.config ?? expected.config;
  const like = told.filter(({ config }) => config === right).map(({ name }) => name);
  return told.filter(({ config }) => config !== right).map(({ name }) => ({
    level: "fail",
    rule: "configuration",
    about: name,
    text:
      `runs with another configuration than ${like.join(", ") || "the one here"}: copy the file ` +
      "there, then run systemctl reload acme-lb",
  }));
}

function differingVersions({ rows }: FleetView): StatusFinding[] {
  const versions = Map.groupBy(
    rows.filter(({ report }) => report !== undefined),
    ({ report }) => report!.version,
  );
  if (versions.size < 2) return [];
  const list = [...versions].map(([version, of]) =>
    `${version} on ${of.map(({ name }) => name).join(", ")}`
  );
  return [{
    level: "note",
    rule: "version",
    about: "acme-lb",
    text: `several versions run: ${list.join("; ")}`,
  }];
}

/** The outcome of a request long ago says little about now. */
const RECENT_MS = 3_600_000;

/**
 * Peers that answer here and did not answer another balancer. One that answers nobody has its own
 * line already; and a contact from before its process started is not about the one that runs now.
 */
function unreachedPeers({ rows }: FleetView): StatusFinding[] {
  return rows.flatMap((row) =>
    (row.report?.peers ?? []).flatMap((contact): StatusFinding[] => {
      const target = rows.find((one) => one.address === contact.peer);
      const contacted = Date.parse(contact.at);
      const now = Date.parse(row.report!.now);
      const running = target?.report;
      if (isReached(contact.outcome) || !running || now - contacted > RECENT_MS) return [];
      if (contacted < now - running.uptime_s * 1000) return [];
      const [from, to] = [row.name, target.name];
      const { peer, outcome } = contact;
      const text =
        `its last question to ${to} (${peer}), ${agoAt(contact.at, row.report!)}, ended in ` +
        `${outcome}, though ${to} answers here: look for a firewall or a route between ${from} ` +
        `and ${to}`;
      return [{ level: "warn", rule: "unreached", about: from, text }];
    })
  );
}
