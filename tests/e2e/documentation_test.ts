/**
 * Every command of README.md and docs/*.md is run, in order, where its prompt says: on one of the
 * source document's three balancers or on an operator's own machine beside them, each with the
 * files of this machine under a separate layer. The output shown on the page must be printed.
 *
 * The few that cannot be run here are listed in NOT_RUN with their reasons, and in the output.
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { works } from "../works.ts";
import { callsIn, printsAsShown, type Step, stepsOf } from "../documentation/commands.ts";
import { readPages } from "../documentation/pages.ts";
import { type Daemon, logged, startDaemon } from "./daemon.ts";
import { type Machine } from "./machine.ts";
import { lacking, NETWORK_PROGRAMS, SEARCH_PATH } from "./requirements.ts";
import { startWorld, type World } from "./world.ts";

/** Each must be needed. */
const NOT_RUN: { command: RegExp; reason: string }[] = [
  {
    command: /^\/etc\/acme-lb\/clients\/acme\.sh$/,
    reason: "acme.sh is in Debian from 13 on; acme_sh_test.ts runs it there",
  },
  { command: /^\.\/install\.sh --test/, reason: "it is what runs this test" },
  {
    command: /apt-get install -y haproxy keepalived certbot/,
    reason: "the packages are installed here, and there is no network",
  },
  { command: /^certbot certonly --dry-run/, reason: "the staging CA has no stand-in here" },
];

const SERVERS = ["serve", "challenge-server", "proxy", "redirect"];

/** In a block without prompts, the programs that an operator runs at home. */
const AT_HOME = ["./install.sh", "deno", "scp", "ssh"];

// Machines with separate files need an overlay over this one's; some containers do not allow it.
const LAYER = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work && " +
  "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt";

const skipped = lacking({
  for: "the commands of the documentation",
  root: true,
  programs: [
    ...[...NETWORK_PROGRAMS, "nsenter", "haproxy", "nginx", "openssl", "pebble"],
    ...["pebble-challtestsrv", "acmetool", "certbot", "lego", "dehydrated", "keepalived"],
  ],
}) || !await layered();
const unneeded = new Set(NOT_RUN);

for (const { file, text } of await readPages()) {
  const steps = stepsOf(file, text);
  if (steps.length === 0) continue;
  Deno.test({
    name: `the commands of ${file} do what it says`,
    ignore: skipped,
    async fn(t) {
      await using world = await startWorld(file);
      for (const block of Map.groupBy(steps, (step) => step.block).values()) {
        await using running = new Running(world);
        for (const step of block) {
          const title = `${file}:${step.line}: ${step.command.replaceAll("\n", " ")}`;
          const reason = reasonNotToRun(step);
          if (reason !== undefined) tell(`not run: ${title}: ${reason}`);
          else await t.step(title, () => runStep(step, { world, running }));
        }
      }
    },
  });
}

Deno.test({
  name: "each exception among the commands of the documentation is needed",
  ignore: skipped,
  fn: () => assert.deepEqual([...unneeded].map(({ command }) => String(command)), []),
});

async function layered(): Promise<boolean> {
  const possible = await works("unshare", { args: ["--mount", "sh", "-c", LAYER] });
  if (!possible) tell("skipped: the commands of the documentation: no overlay file system here");
  return possible;
}

function reasonNotToRun({ command }: Step): string | undefined {
  const exception = NOT_RUN.find((one) => one.command.test(command));
  if (exception) unneeded.delete(exception);
  return exception?.reason;
}

async function runStep(
  step: Step,
  { world, running }: { world: World; running: Running },
): Promise<void> {
  const { command, expected, host } = step;
  const machine = world.machine(host ?? (AT_HOME.includes(command.split(" ")[0]!) ? "you" : "lb0"));
  const options = machine.host.name === "you"
    ? { cwd: world.checkout, env: { ...world.env, ...AT_HOME_ENVIRONMENT } }
    : { env: world.env };
  if (callsIn(command).some(isServer)) {
    await running.start(machine, step);
    if (host === undefined) await running[Symbol.asyncDispose]();
    return;
  }
  const { code, stdout } = await machine.sh(command, options);
  assert.equal(code, 0, `exit code ${code}:\n${stdout}`);
  const shown = expected.join("\n").trimEnd();
  assert.ok(
    printsAsShown(stdout, shown === "" ? [] : shown.split("\n")),
    `the page shows:\n${shown}\nbut it prints:\n${stdout}`,
  );
}

/** The Deno that runs the tests, with the packages that it has. */
const AT_HOME_ENVIRONMENT = {
  PATH: `${dirname(Deno.execPath())}:${SEARCH_PATH}`,
  ...Object.fromEntries(
    ["DENO_DIR", "NPM_CONFIG_REGISTRY"].flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  ),
};

function isServer({ words, flags }: { words: string[]; flags: string[] }): boolean {
  return SERVERS.includes(words[0]!) && !flags.includes("--help");
}

/**
 * Servers that the page starts in the foreground. They run until the block ends (in one without
 * prompts: until the next command), as in a terminal beside it, and must end well. The unit of
 * that machine, if it runs, makes room for as long.
 */
class Running implements AsyncDisposable {
  #servers: Daemon[] = [];
  #units: Machine[] = [];

  constructor(readonly world: World) {}

  async start(machine: Machine, { command, line }: Step): Promise<void> {
    const { world } = this;
    const there = world.machine(/^ssh (\w+)/.exec(command)?.[1] ?? machine.host.name);
    if ((await there.sh("systemctl is-active acme-lb")).code === 0) {
      await there.sh("systemctl stop acme-lb");
      this.#units.push(there);
    }
    const log = `${world.directory}/${there.host.name}-${line}.log`;
    const server = await startDaemon(machine.on(["sh", "-c", `exec ${command}`]), {
      log,
      env: world.env,
    });
    this.#servers.push(server);
    await logged(server, /event=listening/);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers.splice(0)) {
      const { code } = await server.stop();
      assert.equal(code, 0, `a server's exit code: ${await server.output()}`);
    }
    for (const machine of this.#units.splice(0)) await machine.sh("systemctl start acme-lb");
  }
}

function tell(line: string): void {
  // deno-lint-ignore no-console -- what was not run belongs beside what was
  console.error(line);
}
