/** Some seeds of chaos.ts; `deno task chaos` plays more. */

import { playChaos } from "./chaos.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";

const SEEDS = [1, 2, 3];

const ignore = lacking({
  for: "balancers to which everything happens",
  root: true,
  programs: [
    ...[...NETWORK_PROGRAMS, "mkfifo", "nsenter", "bash"],
    ...["pebble", "pebble-challtestsrv", "openssl", "lego"],
  ],
});

for (const seed of SEEDS) {
  Deno.test({
    name: `whatever happens to three balancers, none gives a wrong answer or ends (seed ${seed})`,
    ignore,
    fn: () => playChaos(seed),
  });
}
