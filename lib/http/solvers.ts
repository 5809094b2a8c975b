/**
 * ACME clients of this machine that listen and answer challenges themselves: HAProxy's own ACME,
 * certbot --standalone, lego --http.port, Caddy. Only the acme-lb of the same machine asks them, so
 * their port need not be open to other balancers. Most of the time none listens.
 */

import { comparableAddress, formatSocketAddress, type SocketAddress } from "../address.ts";
import { FairSemaphore } from "../fair_semaphore.ts";
import { isOwnAddress } from "../own_addresses.ts";
import { deadline } from "../time.ts";
import { SOLVER_VIA } from "./ask.ts";
import { type AnswerOutcome, askPeer } from "./peer_answer.ts";

/** What solvers say when all is well: Caddy redirects whatever is no challenge of its own. */
export const UNREMARKABLE: readonly AnswerOutcome[] = ["absent", "refused", "redirected"];

/**
 * What amounts to a no: where nobody listens no order is under way, and a text that cannot be right
 * is that of a solver which answers whatever it is asked.
 */
export const SAID_NO: readonly AnswerOutcome[] = [...UNREMARKABLE, "bad_body", "empty"];

/** For the whole of it: as for a token's file; see webroots.ts. */
const ASK_TIME_MS = 1_000;
/** Questions to one solver at once; some answer one at a time. */
const AT_ONCE = 8;

export interface SolverQuestion {
  token: string;
  /** The caller's validated Host. */
  host: string | undefined;
  /** The source of the request, for its share of the requests. */
  source: string;
}

interface SolverAnswer {
  solver: string;
  outcome: AnswerOutcome;
  body?: string;
}

export interface Solvers {
  /** The first answer that is found; else the outcome of each. Never rejects. */
  find(question: SolverQuestion): Promise<SolverAnswer[]>;
}

/**
 * Those of the addresses that are this machine's when they are asked: the configuration may be the
 * same file on every balancer.
 */
export function createSolvers(
  addresses: readonly SocketAddress[],
  { ask = askPeer, isHere = isHereNow }: {
    ask?: typeof askPeer;
    isHere?: (address: SocketAddress) => boolean;
  } = {},
): Solvers {
  const solvers = addresses.map((address) => ({
    address,
    name: formatSocketAddress(address),
    slots: new FairSemaphore({ limit: () => AT_ONCE, queue: 256, queueOfKey: 64 }),
  }));

  async function askOne(
    { address, name, slots }: typeof solvers[number],
    { question: { token, host, source }, signal }: {
      question: SolverQuestion;
      signal: AbortSignal;
    },
  ): Promise<SolverAnswer> {
    if (!await slots.acquire(source, signal)) return { solver: name, outcome: "timeout" };
    try {
      const limits = { connectTimeoutMs: ASK_TIME_MS, timeoutMs: ASK_TIME_MS };
      const asked = { token, host, via: SOLVER_VIA, ...limits, signal };
      return { solver: name, ...await ask(address, asked) };
    } finally {
      slots.release(source);
    }
  }

  return {
    async find(question) {
      if (solvers.length === 0) return [];
      using limit = deadline(ASK_TIME_MS, { whileRunning: true });
      const here = solvers.filter(({ address }) => isHere(address));
      const answers: SolverAnswer[] = [];
      await new Promise<void>((resolve) => {
        if (here.length === 0) return resolve();
        for (const solver of here) {
          void askOne(solver, { question, signal: limit.signal }).then((answer) => {
            answers.push(answer);
            if (answer.outcome === "found" || answers.length === here.length) resolve();
          });
        }
      });
      limit.abort();
      return answers;
    },
  };
}

function isHereNow({ hostname }: SocketAddress): boolean {
  const address = comparableAddress(hostname);
  return address.startsWith("127.") || isOwnAddress(address);
}

/** A solver whose answer to a token that nobody has is no clear no. */
export interface DoubtfulSolver {
  address: string;
  outcome: Exclude<AnswerOutcome, "found"> | "catch_all";
  /** What it does, and what to do about it. */
  doubt: string;
}

/**
 * Asks each of the solvers for a token that nobody can have, which is not where no solver listens.
 * For check-config and self-test.
 * @param host the Host of the CA's requests; some answer only for names that they know
 */
export async function doubtfulSolvers(
  addresses: readonly SocketAddress[],
  { host }: { host: string },
): Promise<DoubtfulSolver[]> {
  const random = crypto.getRandomValues(new Uint8Array(32));
  const token = random.toBase64({ alphabet: "base64url", omitPadding: true });
  const asked = addresses.map((address) =>
    createSolvers([address]).find({ token, host, source: "" })
  );
  return (await Promise.all(asked)).flat().flatMap(
    ({ solver: address, outcome }): DoubtfulSolver[] => {
      if (UNREMARKABLE.includes(outcome)) return [];
      return outcome === "found" || outcome === "bad_body"
        ? [{ address, outcome: "catch_all", doubt: ANSWERS_ALL }]
        : [{ address, outcome, doubt: unclear(outcome) }];
    },
  );
}

/** It said 200 with a text: the bare `TOKEN.` of HAProxy's manual is `bad_body`. */
const ANSWERS_ALL =
  "answers 200 to a token that it cannot have; let it answer only those that it has " +
  "(HAProxy: add `if { path,field(-1,/),map(virt@acme) -m found }` to its rule, and " +
  "`http-request return status 404` below it)";

function unclear(outcome: AnswerOutcome): string {
  const consequence = SAID_NO.includes(outcome)
    ? ""
    : "; until it does, unknown tokens get 502 or 504 on every balancer";
  return `says neither yes nor no to a token that it cannot have (${outcome}): let it answer 404 ` +
    `(HAProxy: \`http-request return status 404\` as the last rule)${consequence}`;
}
