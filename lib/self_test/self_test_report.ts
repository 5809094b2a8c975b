/** From the answers on each path to the whole report. Pure. */

import { formatSocketAddress } from "../address.ts";
import type { Config } from "../config/schema.ts";
import type { Reply } from "../http/ask.ts";
import type { Questions, Replies } from "./ask_paths.ts";
import { fault, type PathReport, type SelfTestFinding, type SelfTestReport } from "./findings.ts";
import { clockFinding } from "./clock.ts";
import {
  compareConfigurations,
  type ConfigurationFindings,
  toldConfig,
} from "./configuration_findings.ts";
import { familiesOf, notFromHere, unlessUnasked } from "./from_here.ts";
import { checkChallengePort } from "./check_challenge_port.ts";
import { dnsFindings, type NameRecords } from "./dns_findings.ts";
import { checkPublicPort } from "./check_public_port.ts";
import { balancerOutcome } from "./token_outcome.ts";
import type { Path } from "./paths.ts";
import { type Asked, diagnosisContext } from "./diagnosis_context.ts";
import type { TokenPlace } from "./test_plan.ts";
import { verdictOf } from "./verdict.ts";
import { weeklyLimitFinding } from "./weekly_limit.ts";

export interface Evidence {
  config: Config;
  /** The configuration file, or a description when there is none. */
  file: string;
  /** Of this configuration; see configDigest. */
  digest: string;
  questions: Questions;
  /** The text of the planted token, and where it was planted. */
  text: string;
  webroot: string;
  paths: readonly Path[];
  /** In the order of the paths. */
  replies: readonly Replies[];
  records: ReadonlyMap<string, NameRecords>;
  /** Names among the peers that have no address. */
  unresolved: readonly string[];
  /** Milliseconds that a certificate is valid. */
  lifetimeMs: number;
  /** Addresses of this machine's interfaces. */
  machine: readonly string[];
  /** Virtual addresses that two balancers hold at once, or none. */
  held?: readonly SelfTestFinding[];
  /** The other places where tokens were planted. */
  places: readonly TriedPlace[];
  /** What was found on this machine before anybody was asked. */
  here: readonly SelfTestFinding[];
}

/** A directory in which a client may write, and what came of a token there. */
export interface TriedPlace extends TokenPlace {
  /** Why it could not be planted. */
  reason?: string;
  /** From this balancer's challenge port; undefined when that was not asked. */
  reply?: Reply;
}

export function selfTestReport(evidence: Evidence): SelfTestReport {
  const { config, questions, records, lifetimeMs, digest, file } = evidence;
  const all = evidence.paths.map((path, i) => ({ path, replies: evidence.replies[i]! }));
  const told = all.flatMap(({ path, replies }) =>
    toldConfig(path, replies.unknown ?? replies.token) ?? []
  );
  const configurations = compareConfigurations(told, { digest, file });
  const reported = all.map((asked) => ({
    path: asked.path,
    report: pathReport(asked, { all, evidence, configurations }),
  }));
  const findings = [
    ...evidence.held ?? [],
    ...ownPeerFindings(evidence),
    ...evidence.here,
    ...configurations.here,
    ...webrootFindings(evidence, reported.find(({ path }) => path.own)?.report),
    ...evidence.unresolved.map(unresolvedPeer),
    ...dnsFindings(records, config),
    weeklyLimitFinding({ balancers: countBalancers(evidence), lifetimeMs }),
  ];
  const ok = [...findings, ...reported.flatMap(({ report }) => report.findings)]
    .every(({ level }) => level !== "fail");
  const paths = merged(reported.map(({ report }) => report));
  return { ok, token: questions.token, paths, findings, verdict: verdictOf(reported, findings) };
}

function pathReport(
  asked: Asked,
  { all, evidence, configurations }: {
    all: Asked[];
    evidence: Evidence;
    configurations: ConfigurationFindings;
  },
): PathReport {
  const { config, text, webroot, questions, unresolved, machine } = evidence;
  const { path, replies } = asked;
  const { token, page } = questions;
  const httpsPort = config.redirect.https_port;
  const around = diagnosisContext(asked, { all, unresolved, token, text, webroot, httpsPort });
  const { port, host, of } = path;
  const address = formatSocketAddress(path.address);
  const report = { port, address, host, of, ms: replies.token.ms };
  if (port === "public") {
    const { outcome, findings } = checkPublicPort({ path, replies, page }, around);
    const note = notFromHere(asked, { outcome, families: familiesOf(machine) });
    return { ...report, outcome, findings: note ? [note] : unlessUnasked(findings, asked) };
  }
  const { outcome, findings } = checkChallengePort({ path, ...replies }, around);
  const answer = replies.unknown ?? replies.token;
  const clock = "fault" in answer ? undefined : clockFinding(answer);
  const shared = [clock, configurations.at.get(path)].filter((finding) => finding !== undefined);
  return { ...report, outcome, findings: [...findings, ...shared] };
}

/** One report where several names of one address have the same. */
function merged(paths: PathReport[]): PathReport[] {
  const groups = Map.groupBy(
    paths,
    ({ port, address, outcome, findings }) => JSON.stringify([port, address, outcome, findings]),
  );
  return [...groups.values()].map((group) => ({
    ...group[0]!,
    of: [...new Set(group.flatMap(({ of }) => of))],
    ms: Math.max(...group.map(({ ms }) => ms)),
  }));
}

/** Places where a client may write, of which acme-lb here does not give the tokens. */
function webrootFindings({ places }: Evidence, own: PathReport | undefined): SelfTestFinding[] {
  return places.flatMap(({ directory, reason, reply, token, text }): SelfTestFinding[] => {
    const at = { rule: "webroot", about: directory } as const;
    if (reason !== undefined) {
      return [{ ...at, level: "note", text: `no token can be tried there: ${reason}` }];
    }
    // A balancer that serves no token at all is reported on its own path.
    if (!reply || !own || own.outcome !== "found") return [];
    const outcome = balancerOutcome(reply, { token, text });
    if (outcome === "found") return [];
    const said = `${outcome}: acme-lb here does not serve a token from there, so a client ` +
      "that writes there fails; is the directory one of its webroots, and may its user read it?";
    return [{ ...at, level: "fail", text: said }];
  });
}

/** The others ask this balancer only if it stands among the peers. */
function ownPeerFindings({ config, paths }: Evidence): SelfTestFinding[] {
  if (config.peers.length === 0 || paths.some(({ own }) => own)) return [];
  const listeners = config.challenge.listen.map(formatSocketAddress).join(", ") || "nothing";
  const text = "no entry is this machine with the port of its challenge listener " +
    `(${listeners}), so no balancer asks this one; add it or correct its port`;
  return [{ ...fault("not_a_peer", text), about: "peers" }];
}

function unresolvedPeer(name: string): SelfTestFinding {
  const text =
    "this name does not resolve here, so its balancers are not asked; check the resolver, or " +
    "/etc/hosts";
  return { ...fault("unresolved", text), about: `dns:${name}` };
}

function countBalancers({ config, paths }: Evidence): number {
  const nodes = Object.keys(config.cluster.nodes).length;
  const machines = new Set(
    paths.filter(({ port }) => port === "challenge").map(({ machine }) => machine),
  );
  return Math.max(nodes, machines.size);
}
