/** Whether the CA gets its answer now, through which addresses, and what to repair first. Pure. */

import { comparableAddress } from "../address.ts";
import type { NetworkFault } from "../http/dial.ts";
import { unreachableRange } from "./ca_reach.ts";
import type { PathReport, Rule, SelfTestFinding, SelfTestVerdict } from "./findings.ts";
import { listed } from "./dns_findings.ts";
import type { Path } from "./paths.ts";

/** A path and what was found on it. */
interface ReportedPath {
  path: Path;
  report: PathReport;
}

export function verdictOf(
  paths: readonly ReportedPath[],
  findings: readonly SelfTestFinding[],
): SelfTestVerdict {
  const open = paths.filter(({ path }) => path.port === "public" && path.published);
  // If the DNS has addresses, only these count.
  const named = open.filter(({ path }) => path.named);
  const asked = named.length > 0 ? named : open;
  const byAddress = Map.groupBy(asked, ({ path }) => comparableAddress(path.address.hostname));
  const addresses = [...byAddress].map(([address, all]) => ({ address, state: stateOf(all) }));
  const those = (state: string) =>
    addresses.filter((one) => one.state === state).map(({ address }) => address);
  const [through, not_through, unknown] = [those("good"), those("bad"), those("unknown")];
  const nameless = findings.some(({ level, rule }) => level === "fail" && rule === "unresolved");
  const failing = faultsIn(paths, findings);
  const cause = causeOf(failing, paths);
  const answer = through.length === 0
    ? (not_through.length > 0 || unknown.length === 0 ? "no" : "unknown")
    : not_through.length > 0 || nameless
    ? "partly"
    : "yes";
  const text = textOf(answer, { through, not_through, unknown, nameless });
  return { answer, text: text + toMend(cause, failing.length - 1), through, not_through, cause };
}

function stateOf(paths: readonly ReportedPath[]): "good" | "bad" | "unknown" {
  const range = unreachableRange(paths[0]!.path.address.hostname);
  if (range?.kind === "never") return "bad";
  const untold = ({ report }: ReportedPath) =>
    report.findings.some(({ rule }) => rule === "not_from_here" || rule === "no_family");
  if (paths.some(untold)) return "unknown";
  return paths.every(({ report }) => report.outcome === "found") ? "good" : "bad";
}

function textOf(
  answer: SelfTestVerdict["answer"],
  { through, not_through, unknown, nameless }: {
    through: string[];
    not_through: string[];
    unknown: string[];
    nameless: boolean;
  },
): string {
  const rest = unknown.length > 0 ? `; ${listed(unknown)} cannot be judged from here` : "";
  const names = nameless ? "; some names have no address" : "";
  switch (answer) {
    case "yes":
      return `yes: the CA gets its answer now, through ${listed(through)}${rest}`;
    case "partly":
      return `partly: the CA gets its answer through ${listed(through)}` +
        (not_through.length > 0
          ? `, not through ${listed(not_through)}: an order fails when it asks there`
          : "") +
        names + rest;
    case "no":
      return "no: the CA does not get its answer now" +
        (not_through.length > 0 ? `, not through ${listed(not_through)}` : "") + names + rest;
    case "unknown":
      return `unknown: ${listed(unknown)} cannot be judged from here`;
  }
}

/** Outcomes of a port on which no program listens or answers. */
const SILENT: string[] = ["refused", "unreachable", "timeout", "reset"] satisfies NetworkFault[];

/** Rules about no single path, in the order in which their faults are to be mended. */
const GENERAL: Rule[] = [
  "not_a_peer",
  "configuration",
  "webroot",
  "unresolved",
  "no_public_address",
];

/** Causes come first: without this balancer's token no other path has it. */
function causeOf(failing: Fault[], paths: readonly ReportedPath[]): SelfTestVerdict["cause"] {
  // What has answered without the token may lack a peer; where nothing answers, that is the cause.
  const missed = paths.some(({ path, report }) =>
    path.port === "public" && report.outcome !== "found" && !SILENT.includes(report.outcome)
  );
  const ranked = [
    failing.find(({ path }) => path?.own),
    missed ? undefined : failing.find(({ path }) => path?.port === "public" && path.published),
    ...GENERAL.map((wanted) => failing.find(({ path, rule }) => !path && rule === wanted)),
    failing.find(({ path }) => path?.port === "challenge"),
    ...failing,
  ];
  const first = ranked.find((one) => one !== undefined);
  return first ? { where: first.where, rule: first.rule, text: first.text } : null;
}

interface Fault {
  where: string;
  rule: Rule;
  text: string;
  path: Path | undefined;
}

function faultsIn(paths: readonly ReportedPath[], findings: readonly SelfTestFinding[]): Fault[] {
  const bad = ({ level }: SelfTestFinding) => level === "fail";
  return [
    ...paths.flatMap(({ path, report }) =>
      report.findings.filter(bad).map(({ rule, text }) => ({
        ...{ where: `${report.port} ${report.address}`, rule, text, path },
      }))
    ),
    ...findings.filter(bad).map(({ rule, text, about = "" }) => ({
      ...{ where: about, rule, text, path: undefined },
    })),
  ];
}

function toMend(cause: SelfTestVerdict["cause"], others: number): string {
  if (!cause) return "";
  const follow = others > 0
    ? ` (${others} other ${others === 1 ? "fault" : "faults"} may follow from it)`
    : "";
  return `; to mend first${follow}: ${cause.where}: ${cause.rule}: ${cause.text}`;
}
