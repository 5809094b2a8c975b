/**
 * A hook that puts a new certificate into its file, beside acme.sh with its own hook for HAProxy.
 * Neither tells HAProxy; acme.sh checks nothing of what it writes.
 */

import { DAY, issue, issueChain, type Issued, NOW } from "../tests/cert/issue.ts";
import { type Contender, type Figure, median } from "./report.ts";
import type { Bench } from "./servers.ts";

/** Where Debian's package (trixie and later) has acme.sh; ACME_SH names another place. */
const ACME_SH = Deno.env.get("ACME_SH") ?? "/usr/share/acme.sh/acme.sh";

const NAME = "hook.example";

export async function measureHooks(bench: Bench): Promise<Figure[]> {
  const directory = `${bench.directory}/hooks`;
  const home = `${directory}/home/${NAME}`;
  await Deno.mkdir(home, { recursive: true });
  await Deno.mkdir(`${directory}/out`);
  await Deno.writeTextFile(`${home}/${NAME}.conf`, `Le_Domain='${NAME}'\nLe_Alt='no'\n`);
  const { lower } = await issueChain();
  const own = [
    ...[...bench.acmeLb, "assemble-pem", "--out", `${directory}/out/acme-lb.pem`],
    ...["--key", `${home}/${NAME}.key`, "--fullchain", `${home}/fullchain.cer`],
  ];
  const ways: [Contender, string[]][] = [["acme-lb", own]];
  if (await Deno.stat(ACME_SH).then(() => true, () => false)) {
    const args = ["--home", `${directory}/home`, "--deploy", "-d", NAME];
    ways.push(["acme.sh", ["sh", ACME_SH, ...args, "--deploy-hook", "haproxy"]]);
  }
  const rounds: NonNullable<Figure["rounds"]> = {};
  for (let round = 0; round <= (bench.quick ? 3 : 10); round++) {
    bench.progress(`hooks, round ${round}`);
    await renew(home, { lower, round });
    for (const [contender, command] of ways) {
      const ms = await timed(command, directory);
      // The first round reads the programs from the disk.
      if (round > 0) (rounds[contender] ??= []).push(ms);
    }
  }
  const values = Object.fromEntries(
    Object.entries(rounds).map(([contender, times]) => [contender, median(times)]),
  );
  return [{
    section: "Hooks",
    what: "a new certificate into its file, start to end",
    unit: "ms",
    values,
    rounds,
    target: { sense: "at most", value: 0.5, of: "acme.sh" },
  }];
}

/** A new certificate where acme.sh keeps it. */
async function renew(
  home: string,
  { lower, round }: { lower: Issued; round: number },
): Promise<void> {
  const notBefore = new Date(NOW.getTime() - DAY + round * 1000);
  const { key, pem } = await issue({ names: [NAME], issuer: lower, notBefore });
  await Deno.writeTextFile(`${home}/${NAME}.key`, key.pem);
  await Deno.writeTextFile(`${home}/${NAME}.cer`, pem);
  await Deno.writeTextFile(`${home}/ca.cer`, lower.pem);
  await Deno.writeTextFile(`${home}/fullchain.cer`, pem + lower.pem);
}

/** Milliseconds from the start of a hook to its end. @throws {Error} when it failed */
async function timed([program, ...args]: string[], directory: string): Promise<number> {
  const start = performance.now();
  const { success, stderr } = await new Deno.Command(program!, {
    args,
    env: { DEPLOY_HAPROXY_PEM_PATH: `${directory}/out`, DEPLOY_HAPROXY_RELOAD: "true" },
    stdin: "null",
  }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
  return performance.now() - start;
}
