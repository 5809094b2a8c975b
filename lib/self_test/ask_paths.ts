/**
 * Sends the requests on all paths at once: for the planted token, for one that nobody has, and on
 * public addresses for a page that must be redirected. Decides nothing.
 *
 * Many names may lead to one address. It is asked for one of them first, and where that has no
 * answer the others share it: a hundred names with a dead address take 10 s and not 10 min.
 */

import { CA_PATIENCE_MS } from "../ca_rules.ts";
import { askServer, type Reply } from "../http/ask.ts";
import { CHALLENGE_PREFIX } from "../http/challenge_path.ts";
import { FairSemaphore } from "../fair_semaphore.ts";
import { formatSocketAddress } from "../address.ts";
import type { Path } from "./paths.ts";

/** What is asked for. */
export interface Questions {
  token: string;
  /** A token that nobody has. */
  unknown: string;
  /** A page that is no challenge, with a query. */
  page: string;
}

/** The answers; without an answer for the token nothing else is asked. */
export interface Replies {
  token: Reply;
  unknown?: Reply;
  redirect?: Reply;
}

interface AskPathsOptions {
  questions: Questions;
  /** Ends the requests: those in progress count as timed out. */
  signal: AbortSignal;
  /** @default {@link askServer} */
  ask?: typeof askServer;
}

/**
 * Paths at once: as many lookups as a balancer runs for one source, a quarter of `limits.fan_outs`.
 * With more, names that all lead to one balancer would get 503 when a peer of it is slow.
 */
const AT_ONCE = 16;

/** The answers of this balancer's challenge port for tokens of its own, in their order. */
export async function askOwnPort(
  { address, host }: Path,
  { tokens, signal, ask = askServer }: Pick<AskPathsOptions, "signal" | "ask"> & {
    tokens: readonly string[];
  },
): Promise<Reply[]> {
  return await Promise.all(tokens.map((token) =>
    ask(address, {
      ...{ target: CHALLENGE_PREFIX + token, host, timeoutMs: CA_PATIENCE_MS, signal },
      as: "balancer",
    })
  ));
}

/** The replies on each path, in the order of the paths. Never rejects. */
export async function askPaths(
  paths: readonly Path[],
  { questions, signal, ask = askServer }: AskPathsOptions,
): Promise<Replies[]> {
  const slots = new FairSemaphore({ limit: () => AT_ONCE });
  const never = new AbortController().signal;

  const groups = Map.groupBy(
    paths.keys(),
    (i) => `${paths[i]!.port} ${formatSocketAddress(paths[i]!.address)}`,
  );
  const replies: Replies[] = [];

  async function atAddress([first, ...rest]: number[]): Promise<void> {
    let silent: Replies | undefined;
    const askOne = async (i: number) => {
      await slots.acquire("path", never);
      try {
        replies[i] = silent ?? await along(paths[i]!);
      } finally {
        slots.release("path");
      }
      if ("fault" in replies[i]!.token) silent ??= replies[i];
    };
    await askOne(first!);
    await Promise.all(rest.map(askOne));
  }

  async function along({ port, address, host }: Path): Promise<Replies> {
    const as = port === "challenge" ? "balancer" : "ca";
    const get = (target: string) =>
      ask(address, { target, host, timeoutMs: CA_PATIENCE_MS, as, signal });
    const token = await get(CHALLENGE_PREFIX + questions.token);
    if ("fault" in token) return { token };
    const unknown = await get(CHALLENGE_PREFIX + questions.unknown);
    return port === "challenge"
      ? { token, unknown }
      : { token, unknown, redirect: await get(questions.page) };
  }

  await Promise.all(groups.values().map(atAddress));
  return replies;
}
