/** What self-test finds on this machine before it asks anybody. */

import type { Config } from "../config/schema.ts";
import { layoutDoubt, silentWebroots } from "../config/webroot_warnings.ts";
import { doubtfulSolvers } from "../http/solvers.ts";
import { serviceName } from "../render/families.ts";
import { fault, type SelfTestFinding } from "../self_test/findings.ts";

/** Waits for no file system and no solver for much longer than a second. */
export async function findingsHere(
  config: Config,
): Promise<{ findings: SelfTestFinding[]; webroots: string[] }> {
  const [silent, doubtful] = await Promise.all([
    silentWebroots(config.webroot),
    doubtfulSolvers(config.challenge.solvers, { host: serviceName(config) }),
  ]);
  const webroots = config.webroot.filter((webroot) => !silent.includes(webroot));
  const doubts = await Promise.all(
    webroots.map(async (about) => ({ about, text: await layoutDoubt(about) })),
  );
  return {
    webroots,
    findings: [
      ...silent.map((about) => ({ ...fault("webroot", SILENT), about })),
      ...doubtful.map(({ address, outcome, doubt }): SelfTestFinding => ({
        ...{ level: "warn", rule: outcome, about: `challenge.solvers ${address}`, text: doubt },
      })),
      ...doubts.flatMap(({ about, text }): SelfTestFinding[] =>
        text === undefined ? [] : [{ level: "warn", rule: "webroot", about, text }]
      ),
    ],
  };
}

const SILENT = "its file system does not answer; see its server and mount. No token is tried there";
