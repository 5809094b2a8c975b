/**
 * Whether the balancers run with the configuration of this one, and which of them differs.
 *
 * An operator who is told to copy this file to the others spreads the old one when it is this one
 * that was forgotten. So they are counted: the file that most have is taken for the right one.
 */

import { COMPARED } from "../config/digest.ts";
import type { Reply } from "../http/ask.ts";
import { CONFIG_HEADER } from "../http/challenge_handler.ts";
import { fault, type SelfTestFinding } from "./findings.ts";
import type { Path } from "./paths.ts";

/** What an answer tells of the configuration behind it. */
interface ToldConfig {
  path: Path;
  /** Undefined where the answer tells none. */
  digest: string | undefined;
}

export interface ConfigurationFindings {
  /** By path. */
  at: Map<Path, SelfTestFinding>;
  /** What concerns this balancer's own file. */
  here: SelfTestFinding[];
}

/** What the challenge ports tell; only an answer of 404 does. */
export function toldConfig(path: Path, answer: Reply): ToldConfig | undefined {
  if (path.port !== "challenge" || "fault" in answer || answer.status !== 404) return undefined;
  return { path, digest: answer.fields[CONFIG_HEADER.toLowerCase()] };
}

/** @param file the configuration here, by its path, with its digest */
export function compareConfigurations(
  told: readonly ToldConfig[],
  { digest, file }: { digest: string; file: string },
): ConfigurationFindings {
  const others = told.filter(({ path, digest }) => !path.own && digest !== undefined);
  const groups = Map.groupBy(others, ({ digest }) => digest!);
  // With this file, which counts as one of them.
  const same = (groups.get(digest)?.length ?? 0) + 1;
  const [most = []] = [...groups].filter(([other]) => other !== digest)
    .map(([, group]) => group).toSorted((a, b) => b.length - a.length);
  const odd = most.length > same;
  const at = new Map<Path, SelfTestFinding>();
  for (const { path, digest: other } of told) {
    if (other === undefined) at.set(path, NO_DIGEST);
    else if (other === digest || (odd && most.some((one) => one.path === path))) continue;
    else at.set(path, fault("configuration", differing({ path, file, same, most, odd })));
  }
  const here = odd ? [{ ...fault("configuration", oddHere({ most, same })), about: file }] : [];
  return { at, here };
}

const NO_DIGEST: SelfTestFinding = {
  level: "note",
  rule: "configuration",
  text: "its configuration cannot be compared: it is not acme-lb, or does not have this " +
    "balancer's address in peers or cluster",
};

function differing(
  { path, file, same, most, odd }: {
    path: Path;
    file: string;
    same: number;
    most: readonly ToldConfig[];
    odd: boolean;
  },
): string {
  if (path.own) {
    return `acme-lb runs here with another configuration than ${file}; send it SIGHUP, or compare ` +
      "its flags";
  }
  if (odd) return `it runs with a configuration of its own (compared: ${COMPARED})`;
  if (most.length === same) {
    return `it runs with another configuration than ${file} here, and nothing tells which is the ` +
      `right one; compare them, then have the same on both (compared: ${COMPARED})`;
  }
  return `it runs with another configuration than ${file} here` +
    `${same > 1 ? ` and ${countOf(same - 1)} that agree${same === 2 ? "s" : ""}` : ""}; ` +
    `copy the file there and send SIGHUP (compared: ${COMPARED})`;
}

function oddHere({ most, same }: { most: readonly ToldConfig[]; same: number }): string {
  const names = most.map(({ path }) => path.of[0] ?? path.address.hostname).join(", ");
  const also = same > 1 ? `, though ${countOf(same - 1)} has the same` : "";
  return `this balancer's file differs from ${most.length} that agree (${names})${also}: it is ` +
    "probably the old one. Compare it with one of theirs (acme-lb check-config on both) before " +
    `any of them is replaced (compared: ${COMPARED})`;
}

function countOf(number: number): string {
  return `${number} other${number === 1 ? "" : "s"}`;
}
