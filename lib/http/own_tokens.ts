/**
 * Looks a token up on this machine: a file in one of its webroots, then the answer of a solver that
 * listens here.
 */

import type { Log, LogFields } from "../log.ts";
import { delay } from "../time.ts";
import {
  createSolvers,
  SAID_NO,
  type SolverQuestion,
  type Solvers,
  UNREMARKABLE,
} from "./solvers.ts";
import { findInWebroots, type OwnFile, type Webroot } from "./webroots.ts";

/** The outcome: `unreadable` or `silent` when not every place could be searched. */
export type OwnAnswer =
  & { fields: LogFields }
  & ({ kind: "found"; body: string } | { kind: OwnFault });

type OwnFault = Exclude<OwnFile["kind"], "found">;

export interface OwnQuestion extends SolverQuestion {
  /** It has come back from a solver: asking again would not end. @default false */
  fromSolver?: boolean;
}

export interface OwnTokens {
  /** Never rejects, and takes little more than a second. */
  find(question: OwnQuestion): Promise<OwnAnswer>;
}

/** A local file system answers faster; after this time the peers are asked as well. */
export const HEAD_START_MS = 50;

export function createOwnTokens(
  { webroots, solvers = createSolvers([]), log }: {
    webroots: readonly Webroot[];
    solvers?: Solvers;
    log: Pick<Log, "warn">;
  },
): OwnTokens {
  async function inFiles(question: SolverQuestion): Promise<OwnAnswer> {
    const file = await findInWebroots(webroots, question);
    if (file.kind === "found") {
      return { kind: "found", body: file.body, fields: { source: "own", file: file.path } };
    }
    for (const { path, fault } of file.faults) {
      log.warn("token_file_ignored", { path, reason: fault });
    }
    return { kind: file.kind, fields: { reason: file.kind } };
  }

  async function ofSolvers({ fromSolver, ...question }: OwnQuestion): Promise<OwnAnswer> {
    const answers = fromSolver ? [] : await solvers.find(question);
    const found = answers.find(({ outcome }) => outcome === "found");
    if (found) {
      return {
        kind: "found",
        body: found.body!,
        fields: { source: "solver", solver: found.solver },
      };
    }
    const told = answers.filter(({ outcome }) => !UNREMARKABLE.includes(outcome));
    if (told.length === 0) return { kind: "absent", fields: { reason: "absent" } };
    const words = told.map(({ solver, outcome }) => `${solver}=${outcome}`).join(" ");
    const outcomes = told.map(({ outcome }) => outcome).filter((one) => !SAID_NO.includes(one));
    const kind = outcomes.includes("timeout")
      ? "silent"
      : outcomes.length > 0
      ? "unreadable"
      : "absent";
    return { kind, fields: { reason: kind, solvers: words } };
  }

  return {
    async find(question) {
      const files = inFiles(question);
      const early = await within(files, HEAD_START_MS);
      if (early?.kind === "found") return early;
      return await firstFound(files, ofSolvers(question), worse);
    },
  };
}

/** The more serious of two answers that are both not found. */
function worse(a: OwnAnswer, b: OwnAnswer): OwnAnswer {
  const order: OwnAnswer["kind"][] = ["absent", "unreadable", "silent"];
  const [more, less] = order.indexOf(b.kind) > order.indexOf(a.kind) ? [b, a] : [a, b];
  return { ...more, fields: { ...less.fields, ...more.fields } };
}

/** The result if it comes in that time, else undefined. */
export async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  const waiting = new AbortController();
  const late = delay(ms, { signal: waiting.signal }).then(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    waiting.abort();
  }
}

/** The first of two answers that is found; the result of `combine` when neither is. */
export async function firstFound<A extends { kind: string }, B extends { kind: string }>(
  a: Promise<A>,
  b: Promise<B>,
  combine: (a: A, b: B) => A | B,
): Promise<A | B> {
  const first = await Promise.race([a, b]);
  return first.kind === "found"
    ? first
    : await Promise.all([a, b]).then(([one, two]) =>
      one.kind === "found" ? one : two.kind === "found" ? two : combine(one, two)
    );
}
