/** All judgements together: from the answers on each path to the report. Pure. */

import { formatSocketAddress } from "../address.ts";
import type { Config } from "../config/schema.ts";
import type { Questions, Replies } from "./ask_paths.ts";
import { fault, type Finding, type PathReport, type Report } from "./findings.ts";
import { judgeClock, judgeConfiguration } from "./judge_balancer.ts";
import { judgeChallengePort } from "./judge_challenge_port.ts";
import { judgeNames, type NameRecords } from "./judge_names.ts";
import { judgePublicPort } from "./judge_public_port.ts";
import type { Path } from "./paths.ts";
import { type Asked, surroundingsOf } from "./diagnosis_context.ts";
import { judgeWeeklyLimit } from "./weekly_limit.ts";

export interface Evidence {
  config: Config;
  /** The configuration file, or what stands for it. */
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
  lifetime: number;
}

export function judge(evidence: Evidence): Report {
  const { config, questions, records, lifetime } = evidence;
  const all = evidence.paths.map((path, i) => ({ path, replies: evidence.replies[i]! }));
  const paths = all.map((asked) => judgePath(asked, { all, evidence }));
  const findings = [
    ...judgeOwnPeer(evidence),
    ...evidence.unresolved.map(unresolvedPeer),
    ...judgeNames(records, config),
    judgeWeeklyLimit({ balancers: countBalancers(evidence), lifetime }),
  ];
  const ok = [...findings, ...paths.flatMap((path) => path.findings)]
    .every(({ level }) => level !== "fail");
  return { ok, token: questions.token, paths, findings };
}

function judgePath(
  asked: Asked,
  { all, evidence }: { all: Asked[]; evidence: Evidence },
): PathReport {
  const { config, text, webroot, questions, digest, file, unresolved } = evidence;
  const { path, replies } = asked;
  const httpsPort = config.redirect.https_port;
  const around = surroundingsOf(asked, {
    ...{ all, unresolved, text, webroot, httpsPort },
    token: questions.token,
  });
  const judged = path.port === "public"
    ? judgePublicPort({ path, replies, page: questions.page }, around)
    : judgeChallengePort({ path, token: replies.token, unknown: replies.unknown }, around);
  const findings = [...judged.findings];
  const answer = replies.unknown ?? replies.token;
  if (path.port === "challenge" && answer.fault === undefined) {
    const shared = [
      judgeClock(answer),
      judgeConfiguration(answer, { digest, own: path.own, file }),
    ];
    findings.push(...shared.filter((finding) => finding !== undefined));
  }
  const { port, host, of } = path;
  const address = formatSocketAddress(path.address);
  return { port, address, host, of, outcome: judged.outcome, ms: replies.token.ms, findings };
}

/** The others ask this balancer only if it stands among the peers. */
function judgeOwnPeer({ config, paths }: Evidence): Finding[] {
  if (config.peers.length === 0 || paths.some(({ own }) => own)) return [];
  const listeners = config.challenge.listen.map(formatSocketAddress).join(", ") || "nothing";
  const text = "none of them is this machine with the port of its challenge listener " +
    `(${listeners}), so no balancer asks this one; add it or correct its port`;
  return [{ ...fault("not_a_peer", text), about: "peers" }];
}

function unresolvedPeer(name: string): Finding {
  const text = "it has no address here, so no balancer behind it is asked; see the resolver, or " +
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
