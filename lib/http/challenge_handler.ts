/**
 * Answers to requests for a challenge token.
 *
 * On the challenge port from this machine alone: it never asks a peer, so no loop can form. On the
 * public port from this machine, then from the peers.
 */

import { CA_BODY_BYTES } from "../ca_rules.ts";
import { sourceOf } from "../address.ts";
import { parseHost } from "../host.ts";
import type { Log, LogFields } from "../log.ts";
import {
  type Answer,
  errorAnswer,
  headerLine,
  methodNotAllowed,
  NOT_FOUND,
  notFound,
  refusalAnswer,
  textAnswer,
} from "./answer.ts";
import { challengeToken } from "./challenge_path.ts";
import type { Handler } from "./connection.ts";
import type { LookupResult, LookupVerdict } from "./lookup_flight.ts";
import type { Metrics } from "./metrics.ts";
import {
  firstFound,
  HEAD_START_MS,
  type OwnAnswer,
  type OwnQuestion,
  type OwnTokens,
  within,
} from "./own_tokens.ts";
import type { PeerAddresses } from "./peer_addresses.ts";
import { UNREADABLE_HEADER } from "./peer_answer.ts";
import type { PeerLookup } from "./peer_lookup.ts";
import type { RequestHead } from "./request_head.ts";
import { isForSolver, isPassedOn } from "./via.ts";

/** One answer of the public port to a request for a token, as it is recorded for `status`. */
export interface AnsweredChallenge {
  token: string;
  /** The address that asked. */
  from: string;
  /** As in the log: `own`, `solver` or `peer`; undefined when the token was not found. */
  source: string | undefined;
  /** The peer or solver that had it. */
  peer?: string | undefined;
  ms: number;
  status: number;
}

interface ChallengeOptions {
  own: OwnTokens;
  log: Log;
}

interface ChallengePortOptions extends ChallengeOptions {
  /** When given, only these addresses are answered. */
  onlyFrom?: PeerAddresses;
  /** Which addresses get answers meant only for balancers; see {@link CONFIG_HEADER}. */
  balancers?: PeerAddresses;
  /** The digest of the configuration. */
  digest?: Promise<string>;
}

interface PublicChallengeOptions extends ChallengeOptions {
  lookup: PeerLookup;
  metrics: Metrics;
  /** Told each answer. */
  onAnswered?: (fact: AnsweredChallenge) => void;
}

/**
 * With a 404 of the challenge port: the digest of the configuration in use, for `self-test` on
 * another balancer. A client that guesses a whole configuration could confirm the guess with it,
 * and so learn addresses that are not public; so it is told only to balancers, by their addresses,
 * also where the port itself answers any client. Nothing is secret in it beyond that, and nothing
 * is decided by it.
 */
export const CONFIG_HEADER = "Acme-Lb-Config";

const NOT_ALLOWED = methodNotAllowed("GET, HEAD");
const FORBIDDEN = refusalAnswer(403, "no_peer");
const BODY_REFUSED = refusalAnswer(413, "body");
const NO_TOKEN: Answer = { ...NOT_FOUND, refused: "bad_token" };
const FAILED: Record<Exclude<LookupVerdict, "found">, Readonly<Answer>> = {
  absent: NOT_FOUND,
  timeout: { ...errorAnswer(504), close: false },
  failed: { ...errorAnswer(502), close: false },
  overloaded: errorAnswer(503, headerLine("Retry-After", "1")),
};

/** The challenge port: what this machine has, nothing else. */
export function createChallengePortHandler(options: ChallengePortOptions): Handler {
  const { own, onlyFrom, balancers, digest, log } = options;

  /** A 404 with header fields for other balancers. */
  async function absent(kind: OwnAnswer["kind"], from: string): Promise<Answer> {
    if (!await balancers?.includes(from)) return NOT_FOUND;
    return notFound(
      (digest ? headerLine(CONFIG_HEADER, await digest) : "") +
        (kind === "absent" ? "" : headerLine(UNREADABLE_HEADER, kind)),
    );
  }

  return async (head, from) => {
    if (onlyFrom && !await onlyFrom.includes(from)) {
      log.warn("turned_away", { role: "challenge", reason: "no_peer", from });
      return FORBIDDEN;
    }
    const token = tokenAsked(head);
    if (typeof token !== "string") return token;
    const began = performance.now();
    const found = await own.find(questionOf(head, { token, from }));
    const answer = found.kind === "found" ? textAnswer(found.body) : await absent(found.kind, from);
    const ms = Math.round(performance.now() - began);
    log.info("challenge", {
      role: "challenge",
      token,
      from,
      ...found.fields,
      status: answer.status,
      ms,
    });
    return answer;
  };
}

/** The public port's answer below the challenge prefix. */
export function createPublicChallengeHandler(
  options: PublicChallengeOptions,
): (head: RequestHead, from: string) => Promise<Answer> {
  const { own, lookup, metrics, log, onAnswered } = options;

  async function ask(head: RequestHead, { token, from }: { token: string; from: string }) {
    const question = questionOf(head, { token, from });
    const here = own.find(question);
    const early = await within(here, HEAD_START_MS);
    if (early?.kind === "found") return answerOf(early);
    // A request from another acme-lb that has this port among its peers is not passed on.
    if (isPassedOn(head.via)) {
      const { answer, fields } = answerOf(await here);
      return { answer, fields: { ...fields, peers: "not_asked", reason: "via" } };
    }
    const among = lookup.find(question).then((result) => {
      metrics.count("lookups_total", `result="${result.verdict}"`);
      return answerOfPeers(result);
    });
    return await firstFound(here.then(answerOf), among, moreSerious);
  }

  return async (head, from) => {
    const token = tokenAsked(head);
    if (typeof token !== "string") return token;
    const began = performance.now();
    const { answer, fields } = await ask(head, { token, from });
    const ms = Math.round(performance.now() - began);
    const { status } = answer;
    log.info("challenge", {
      role: "public",
      token,
      host: hostOf(head),
      from,
      ...fields,
      status,
      ms,
    });
    const { source, peer, solver } = fields as Record<string, string | undefined>;
    onAnswered?.({ token, from, source, peer: peer ?? solver, ms, status });
    if (status === 200 && answer.body.trimEnd().length > CA_BODY_BYTES) {
      log.warn("too_long_for_ca", { token, bytes: answer.body.length, limit: CA_BODY_BYTES });
    }
    return answer;
  };
}

interface Told {
  kind: LookupVerdict | OwnAnswer["kind"];
  answer: Readonly<Answer>;
  fields: LogFields;
}

/** Why it was not found here matters only where all peers said no: else one of them may have it. */
function moreSerious(here: Told, among: Told): Told {
  const fields = { ...here.fields, ...among.fields };
  if (among.kind !== "absent") return { ...among, fields };
  return { ...here, fields: { ...fields, reason: here.fields.reason } };
}

const OWN_VERDICT = { absent: "absent", unreadable: "failed", silent: "timeout" } as const;

function answerOf(own: OwnAnswer): Told {
  const answer = own.kind === "found" ? textAnswer(own.body) : FAILED[OWN_VERDICT[own.kind]];
  return { kind: own.kind, answer, fields: own.fields };
}

function answerOfPeers({ verdict, body, peer, outcomes }: LookupResult): Told {
  const peers = outcomes.map((one) => `${one.peer}=${one.outcome}`).join(" ");
  return verdict === "found"
    ? { kind: verdict, answer: textAnswer(body!), fields: { source: "peer", peer, peers } }
    : { kind: verdict, answer: FAILED[verdict], fields: { reason: verdict, peers } };
}

/** The token, or the answer to a request without a valid token. */
function tokenAsked(head: RequestHead): string | Answer {
  if (head.method !== "GET" && head.method !== "HEAD") return NOT_ALLOWED;
  if (head.body) return BODY_REFUSED;
  return challengeToken(head.target) ?? NO_TOKEN;
}

function questionOf(
  head: RequestHead,
  { token, from }: { token: string; from: string },
): OwnQuestion {
  return { token, host: hostOf(head), source: sourceOf(from), fromSolver: isForSolver(head.via) };
}

function hostOf({ host }: RequestHead): string | undefined {
  return host === undefined ? undefined : parseHost(host);
}
