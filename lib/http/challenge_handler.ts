/**
 * Answers to the CA's question for a token.
 *
 * On the challenge port from the own webroot alone: it never asks a peer, so no loop can form. On
 * the public port from the own webroot, then from the peers.
 */

import { CA_BODY_BYTES } from "../ca_rules.ts";
import { sourceOf } from "../address.ts";
import type { Log, LogFields } from "../log.ts";
import {
  type Answer,
  errorAnswer,
  headerLine,
  methodNotAllowed,
  NOT_FOUND,
  notFound,
  textAnswer,
} from "./answer.ts";
import { HOP } from "./ask.ts";
import { challengeToken } from "./challenge_path.ts";
import type { Handler } from "./connection.ts";
import { parseHost } from "../host.ts";
import type { Metrics } from "./metrics.ts";
import type { PeerAddresses } from "./peer_addresses.ts";
import type { LookupVerdict, PeerLookup } from "./peer_lookup.ts";
import type { RequestHead } from "./request_head.ts";
import { readTokenFile } from "./token_file.ts";

export interface ChallengeOptions {
  webroots: readonly string[];
  log: Log;
}

export interface ChallengePortOptions extends ChallengeOptions {
  /** When given, only these addresses are answered. */
  onlyFrom?: PeerAddresses;
  /** See {@link CONFIG_HEADER}: the digest of the configuration, and who is told. */
  config?: { digest: Promise<string>; told: PeerAddresses };
}

export interface PublicChallengeOptions extends ChallengeOptions {
  lookup: PeerLookup;
  metrics: Metrics;
  /** Told of each answer to a question for a token. */
  onAnswered?: (event: AnsweredChallenge) => void;
}

/** What became of a question for a token on the public port. */
export interface AnsweredChallenge {
  token: string;
  /** The address of who asked. */
  from: string;
  /** As in the log: `own`, `peer`; undefined when it was found nowhere. */
  source: string | undefined;
  /** The peer that had it. */
  peer?: string;
  ms: number;
  status: number;
}

/**
 * With a 404 of the challenge port: the digest of the configuration in use, for `self-test` on
 * another balancer. Whoever can guess a whole configuration could confirm the guess with it, and
 * so learn addresses that are none of the public's business; hence it is told to balancers alone,
 * by their addresses, also where the port itself answers anybody. Nothing is secret in it beyond
 * that, and nothing is decided by it.
 */
export const CONFIG_HEADER = "Acme-Lb-Config";

const NOT_ALLOWED = methodNotAllowed("GET, HEAD");
const FORBIDDEN = errorAnswer(403);
const BODY_REFUSED = errorAnswer(413);
const FAILED: Record<Exclude<LookupVerdict, "found">, Readonly<Answer>> = {
  absent: NOT_FOUND,
  timeout: { ...errorAnswer(504), close: false },
  failed: { ...errorAnswer(502), close: false },
  overloaded: errorAnswer(503, headerLine("Retry-After", "1")),
};

/** The challenge port: files of the webroots, nothing else. */
export function createChallengePortHandler(options: ChallengePortOptions): Handler {
  const { onlyFrom, config } = options;
  return async (head, from) => {
    if (onlyFrom && !await onlyFrom.includes(from)) {
      options.log.warn("turned_away", { role: "challenge", reason: "no_peer", from });
      return FORBIDDEN;
    }
    const token = tokenAsked(head);
    if (typeof token !== "string") return token;
    const own = await answerFromWebroot(token, options);
    report(options.log, {
      role: "challenge",
      token,
      from,
      ...own.fields,
      status: own.answer.status,
    });
    return own.answer === NOT_FOUND && await config?.told.includes(from)
      ? notFound(headerLine(CONFIG_HEADER, await config!.digest))
      : own.answer;
  };
}

/** The public port's answer below the challenge prefix. */
export function createPublicChallengeHandler(
  options: PublicChallengeOptions,
): (head: RequestHead, from: string) => Promise<Answer> {
  const { lookup, metrics, log } = options;
  return async (head, from) => {
    const token = tokenAsked(head);
    if (typeof token !== "string") return token;
    const began = performance.now();
    const host = head.host === undefined ? undefined : parseHost(head.host);
    let { answer, fields } = await answerFromWebroot(token, options);
    // A question from another acme-lb that has this port among its peers goes no further.
    if (answer.status === 404 && !head.via.includes(HOP)) {
      const result = await lookup.find({ token, host, source: sourceOf(from) });
      metrics.count("lookups_total", `result="${result.verdict}"`);
      const peers = result.outcomes.map(({ peer, outcome }) => `${peer}=${outcome}`).join(" ");
      if (result.verdict === "found") {
        answer = textAnswer(result.body!);
        fields = { source: "peer", peer: result.peer, peers };
      } else {
        answer = FAILED[result.verdict];
        fields = { ...fields, reason: result.verdict, peers };
      }
    }
    const ms = Math.round(performance.now() - began);
    const { status } = answer;
    report(log, { role: "public", token, host, from, ...fields, status, ms });
    const { source, peer } = fields as { source?: string; peer?: string };
    options.onAnswered?.({ token, from, source, peer, ms, status });
    if (answer.status === 200 && answer.body.trimEnd().length > CA_BODY_BYTES) {
      log.warn("too_long_for_ca", { token, bytes: answer.body.length, limit: CA_BODY_BYTES });
    }
    return answer;
  };
}

/** The token, or the answer to a request that asks for none. */
function tokenAsked(head: RequestHead): string | Answer {
  if (head.method !== "GET" && head.method !== "HEAD") return NOT_ALLOWED;
  if (head.body) return BODY_REFUSED;
  return challengeToken(head.target) ?? NOT_FOUND;
}

async function answerFromWebroot(
  token: string,
  { webroots, log }: ChallengeOptions,
): Promise<{ answer: Answer; fields: LogFields }> {
  const file = await readTokenFile(webroots, token);
  if (file.kind === "found") {
    return { answer: textAnswer(file.body), fields: { source: "own", file: file.path } };
  }
  for (const { path, fault } of file.faults) {
    log.warn("token_file_ignored", { path, reason: fault });
  }
  return { answer: NOT_FOUND, fields: { reason: "absent" } };
}

function report(log: Log, fields: LogFields): void {
  log.info("challenge", fields);
}
