/**
 * The examples for Nagios and Icinga 2 as these programs load them, and a check of each that goes
 * through the scheduler: as the user that Debian's packages run them as, of HAProxy at the virtual
 * addresses.
 */

import assert from "node:assert/strict";
import { issue } from "../cert/issue.ts";
import { executablePath } from "../executable.ts";
import { BALANCERS, VIRTUAL_ADDRESSES } from "./cluster.ts";
import { eventually, startDaemon, tail } from "./daemon.ts";
import { type Front, startFront } from "./hooks.ts";
import { createNetwork, type Host, must, type Network } from "./network.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";

const EXAMPLES = new URL("../../examples/monitoring/", import.meta.url).pathname;
const SERVICE = "service.example";

const missing = lacking({
  for: "monitoring systems",
  root: true,
  programs: [...NETWORK_PROGRAMS, "haproxy"],
});
const noIcinga = missing || lacking({ for: "Icinga 2", programs: ["icinga2"] });
const noNagios = missing || lacking({ for: "Nagios", programs: ["nagios4"] });

let network: Network;
let front: Front;
let host: Host;

Deno.test.beforeAll(async () => {
  if (noIcinga && noNagios) return;
  const [first] = VIRTUAL_ADDRESSES as [string];
  network = await createNetwork({ lb0: BALANCERS.lb0! }, { names: { [SERVICE]: [first] } });
  try {
    host = network.host("lb0");
    await network.place(new Map(VIRTUAL_ADDRESSES.map((address) => [address, host])));
    // The user nagios has to pass through.
    await Deno.chmod(network.directory, 0o755);
    const certs = `${network.directory}/certs`;
    await Deno.mkdir(certs);
    const ca = await issue({ ca: true, names: [], commonName: "Example CA" });
    const leaf = await issue({ issuer: ca, names: [SERVICE] });
    await Deno.writeTextFile(`${certs}/${SERVICE}.pem`, leaf.key.pem + leaf.pem + ca.pem);
    const paths = { certs, socket: `${network.directory}/admin.sock`, config: "" };
    front = await startFront(network, { host, paths });
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
});

Deno.test.afterAll(async () => {
  await front?.[Symbol.asyncDispose]();
  await network?.[Symbol.asyncDispose]();
});

/** The example with the executable under test in place of the installed one. */
async function example(name: string): Promise<string> {
  const text = await Deno.readTextFile(EXAMPLES + name);
  assert.ok(text.includes("/usr/local/bin/acme-lb"), name);
  return text.replaceAll("/usr/local/bin/acme-lb", await executablePath());
}

async function mustPrint(argv: string[]): Promise<string> {
  const { stdout, stderr } = await must(network.on(host, argv));
  return stdout + stderr;
}

Deno.test({
  name: "Icinga 2 loads the example, and its scheduler runs the check",
  ignore: noIcinga,
  async fn() {
    const folder = `${network.directory}/icinga`;
    await mustPrint(["install", "-d", "-o", "nagios", "-g", "nagios", folder]);
    await Deno.writeTextFile(`${folder}/acme-lb.conf`, await example("icinga2.conf"));
    const results = `${folder}/results`;
    // Beside the example what any Icinga has, and a writer of results.
    await Deno.writeTextFile(
      `${folder}/icinga2.conf`,
      `const NodeName = "monitor"
const PluginDir = "/usr/lib/nagios/plugins"
include <itl>
object CheckerComponent "checker" {}
object PerfdataWriter "results" {
  service_perfdata_path = "${results}"
  service_temp_path = "${folder}/results.new"
  service_format_template = "$service.name$|$service.state$|$service.output$"
  rotation_interval = 1s
}
include "${folder}/acme-lb.conf"
`,
    );
    const daemon = ["icinga2", "daemon", "--config", `${folder}/icinga2.conf`];
    const start = ["sh", "-c", 'install -d -o nagios -g nagios /run/icinga2 && exec "$@"', "sh"];
    assert.doesNotMatch(await mustPrint([...start, ...daemon, "--validate"]), /warning/i);
    await using icinga = await running([...start, ...daemon], `${folder}/log`);
    const [line] = await eventually(async () => {
      const written = (await mustPrint(["sh", "-c", `cat "$1"* 2>/dev/null || :`, "sh", results]))
        .split("\n").filter((line) => line.startsWith("tls-certificate|"));
      return written.length > 0 ? written : undefined;
    }, { what: () => `a result of Icinga: ${icinga.log}`, deadline: 180_000 });
    assert.match(line!, /^tls-certificate\|OK\|.*OK.*3 /, line);
  },
});

/** What nagios.cfg takes for granted, and what makes Nagios check at once. */
const NAGIOS = (folder: string) =>
  `nagios_user=nagios
nagios_group=nagios
cfg_dir=${folder}/objects
log_file=${folder}/nagios.log
object_cache_file=${folder}/objects.cache
precached_object_file=${folder}/objects.precache
status_file=${folder}/status.dat
state_retention_file=${folder}/retention.dat
lock_file=${folder}/nagios.pid
temp_file=${folder}/nagios.tmp
temp_path=/tmp
check_result_path=${folder}/results
command_file=${folder}/nagios.cmd
log_archive_path=${folder}
service_inter_check_delay_method=n
status_update_interval=1
use_syslog=0
`;

const OBJECTS = `define host {
  host_name           lb0
  address             ${BALANCERS.lb0!.ipv6}
  max_check_attempts  1
  check_command       up
  check_period        always
  contacts            ops
}
define contact {
  contact_name                   ops
  host_notifications_enabled     0
  service_notifications_enabled  0
  host_notification_period       always
  service_notification_period    always
  host_notification_commands     up
  service_notification_commands  up
}
define command {
  command_name  up
  command_line  /bin/true
}
define timeperiod {
  timeperiod_name  always
  alias            always
  sunday           00:00-24:00
  monday           00:00-24:00
  tuesday          00:00-24:00
  wednesday        00:00-24:00
  thursday         00:00-24:00
  friday           00:00-24:00
  saturday         00:00-24:00
}
define service {
  name                   generic-service
  register               0
  check_period           always
  max_check_attempts     1
  notification_period    always
  contacts               ops
}
`;

Deno.test({
  name: "Nagios loads the example, and its scheduler runs the check",
  ignore: noNagios,
  async fn() {
    const folder = `${network.directory}/nagios`;
    await mustPrint(["install", "-d", "-o", "nagios", "-g", "nagios", folder, `${folder}/results`]);
    await Deno.mkdir(`${folder}/objects`);
    await Deno.writeTextFile(`${folder}/objects/acme-lb.cfg`, await example("nagios.cfg"));
    await Deno.writeTextFile(`${folder}/objects/own.cfg`, OBJECTS);
    const config = `${folder}/nagios.cfg`;
    await Deno.writeTextFile(config, NAGIOS(folder));
    const said = await mustPrint(["nagios4", "-v", config]);
    assert.match(said, /Total Errors:\s+0/);
    await using nagios = await running(["nagios4", config], `${folder}/log`);
    const status = await eventually(async () => {
      const text = await Deno.readTextFile(`${folder}/status.dat`).catch(() => "");
      const [found] = /servicestatus \{[^}]*TLS at the virtual addresses[^}]*\}/.exec(text) ?? [];
      return found?.includes("has_been_checked=1") ? found : undefined;
    }, { what: () => `a result of Nagios: ${nagios.log}`, deadline: 180_000 });
    assert.match(status, /^\s*current_state=0$/m, status);
    assert.match(status, /^\s*plugin_output=.*OK/m, status);
  },
});

/** A monitoring daemon, until the end of its test. */
async function running(
  argv: string[],
  log: string,
): Promise<AsyncDisposable & { log: string }> {
  const daemon = await startDaemon(network.on(host, argv), { log });
  return {
    log,
    async [Symbol.asyncDispose]() {
      await daemon.stop();
      // deno-lint-ignore no-console -- the end of it, for a test that failed
      console.error(await tail(log));
    },
  };
}
