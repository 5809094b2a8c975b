/**
 * check-expiry from afar, against balancers that each have their own certificate: every address of
 * the service in both families, one of them dead, one refusing, one left with an old certificate.
 */

import assert from "node:assert/strict";
import type { JsonReport } from "../../lib/expiry/format_json.ts";
import { DAY, issue, NOW } from "../cert/issue.ts";
import { executablePath } from "../executable.ts";
import { pemOf } from "../haproxy/real_haproxy.ts";
import { BALANCERS, keepers } from "./cluster.ts";
import { type Front, hookEnvironment, startFront } from "./hooks.ts";
import { createNetwork, type Host, type Network } from "./network.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";

const NAME = "service.example";
const skipped = lacking({
  for: "check-expiry across machines",
  root: true,
  programs: [...NETWORK_PROGRAMS, "haproxy"],
});

/** HAProxy with its own certificate of 90 days, which is so many days old. */
async function startWithAge(network: Network, host: Host, age: number): Promise<Front> {
  const certs = `${network.directory}/certs-${host.name}`;
  await Deno.mkdir(certs);
  const own = await issue({
    names: [NAME],
    notBefore: new Date(NOW.getTime() - age * DAY),
    notAfter: new Date(NOW.getTime() + (90 - age) * DAY),
  });
  await Deno.writeTextFile(`${certs}/service.pem`, pemOf(own), { mode: 0o600 });
  const socket = `${network.directory}/haproxy-${host.name}.sock`;
  return await startFront(network, { host, paths: { certs, socket, config: "" } });
}

Deno.test({
  name: "every address of the service has its own verdict, whatever became of the others",
  ignore: skipped,
  async fn() {
    const addresses = Object.values(BALANCERS).flatMap(({ ipv6, ipv4 }) => [ipv6, ipv4]);
    const virtual = ["2001:db8::1", "2001:db8::2", "2001:db8::3"];
    await using network = await createNetwork(
      { ...BALANCERS, monitor: { ipv6: "2001:db8::cafe", ipv4: "192.0.2.101" } },
      { names: { [NAME]: [...virtual, ...addresses] } },
    );
    const [lb0, lb1, lb2] = ["lb0", "lb1", "lb2"].map(network.host) as [Host, Host, Host];
    await network.place(keepers([lb0, lb1, lb2]));
    const check = async () => {
      const argv = [await executablePath(), "check-expiry", "--connect", `${NAME}:443`];
      const env = await hookEnvironment();
      const { code, stdout, stderr } = await network.run(
        network.host("monitor"),
        [...argv, "--format", "json"],
        { env },
      );
      assert.equal(stderr, "");
      const { records }: JsonReport = JSON.parse(stdout);
      const told = records.map(({ place, state, findings }) => {
        const reasons = findings.map(({ reason }) => ` ${reason}`).join("");
        return `${place.replace(`:443 (${NAME})`, "")} ${state}${reasons}`;
      });
      return { code, told: told.toSorted() };
    };
    const all = (verdicts: Record<string, string>) =>
      [
        ...[lb0, lb1, lb2].flatMap(({ name, ipv6, ipv4 }) =>
          [`[${ipv6}]`, ipv4].map((address) => `${address} ${verdicts[name]}`)
        ),
        // As keepers() leaves them.
        ...["lb2", "lb1", "lb0"].map((name, i) => `[${virtual[i]}] ${verdicts[name]}`),
      ].toSorted();

    await using _front0 = await startWithAge(network, lb0, 30);
    await using _front1 = await startWithAge(network, lb1, 40);
    await using front2 = await startWithAge(network, lb2, 50);
    assert.deepEqual(await check(), { code: 0, told: all({ lb0: "OK", lb1: "OK", lb2: "OK" }) });

    await network.swallow(lb1);
    await front2.daemon.stop();
    assert.deepEqual(await check(), {
      code: 2,
      told: all({ lb0: "OK", lb1: "CRITICAL timeout", lb2: "CRITICAL unreachable" }),
    });

    await network.heal(lb1);
    await Deno.remove(front2.paths.certs, { recursive: true });
    await using _old = await startWithAge(network, lb2, 70);
    assert.deepEqual(await check(), {
      code: 1,
      told: all({ lb0: "OK", lb1: "OK", lb2: "WARNING expires_soon left_behind" }),
    });
  },
});
