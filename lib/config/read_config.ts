/** The configuration in a plain value: each value is checked, then how they fit together. */

import { clusterMistakes } from "./cluster_rules.ts";
import { overlappingListeners } from "./listener_overlaps.ts";
import { type Config, type Mistake, readValues } from "./schema.ts";
import { misplacedSolvers } from "./solver_rules.ts";

/** The configuration, or every mistake in it. */
export function readConfig(value: unknown): { config: Config } | { mistakes: Mistake[] } {
  const read = readValues(value);
  if ("mistakes" in read) return read;
  const mistakes = [
    ...overlappingListeners(read.config),
    ...misplacedSolvers(read.config),
    ...clusterMistakes(read.config),
  ];
  return mistakes.length > 0 ? { mistakes } : read;
}
