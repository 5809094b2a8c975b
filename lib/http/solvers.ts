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

/**
 * Those of the solvers that answer 200 for a token which nobody can have, with what to do about it:
 * such a one answers for the tokens of other balancers too. For check-config and self-test.
 */
export async function solversThatAnswerAll(
  addresses: readonly SocketAddress[],
): Promise<{ address: string; doubt: string }[]> {
  const random = crypto.getRandomValues(new Uint8Array(32));
  const token = random.toBase64({ alphabet: "base64url", omitPadding: true });
  const asked = addresses.map((address) =>
    createSolvers([address]).find({ token, host: "localhost", source: "" })
  );
  return (await Promise.all(asked)).flat()
    .filter(({ outcome }) => ANSWERED.includes(outcome))
    .map(({ solver }) => ({ address: solver, doubt: ANSWERS_ALL }));
}

/** It said 200, with whatever text: the bare `TOKEN.` of HAProxy's manual is `bad_body`. */
const ANSWERED: AnswerOutcome[] = ["found", "bad_body", "empty", "too_large"];

const ANSWERS_ALL =
  "answers 200 to a token that it cannot have; let it answer only those that it " +
  "has (HAProxy: add `if { path,field(-1,/),map(virt@acme) -m found }` to its rule)";
