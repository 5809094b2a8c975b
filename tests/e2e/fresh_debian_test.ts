/**
 * A balancer as it comes from Debian, in the release that runs here: no Deno, no Node, no compiler.
 * Only the executable does its
 * jobs there; install.sh sets the machine up, and the real systemd confines the real service.
 */

import assert from "node:assert/strict";
import { issueChain } from "../cert/issue.ts";
import { executablePath } from "../executable.ts";
import { ROOT } from "../install_script.ts";
import { eventually } from "./daemon.ts";
import {
  controlGroups,
  debianMirror,
  debootstrap,
  type Machine,
  ownRelease,
  startMachine,
} from "./debian.ts";
import { lacking } from "./requirements.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const PROGRAMS = ["debootstrap", "wget", "nsenter", "unshare", "curl", "ip", "pgrep", "setsid"];
const unfit = lacking({ for: "a fresh Debian", root: true, programs: PROGRAMS });
const release = unfit ? undefined : await ownRelease();
const mirror = release === undefined ? undefined : await debianMirror(release);
if (!unfit && mirror === undefined) skipped("apt has no mirror of Debian here that answers");
const groups = unfit ? undefined : await controlGroups();

const TOKEN = "/run/acme/acme-challenge/token";
const PEM = "/etc/haproxy/certs/service.example.pem";

Deno.test({
  name: `on a fresh Debian${release === undefined ? "" : ` ${release}`}`,
  ignore: mirror === undefined,
  fn: async (t) => {
    await using temporary = await temporaryFolder();
    const folder = temporary.path;
    const root = `${folder}/root`;
    const packages = ["systemd", "procps"];
    await debootstrap(root, { mirror: mirror!, release: release!, packages });
    await Deno.mkdir(`${root}/root/acme-lb`);
    for (
      const [from, to] of [[await executablePath(), "acme-lb"], [
        `${ROOT}install.sh`,
        "install.sh",
      ]]
    ) {
      await Deno.copyFile(from!, `${root}/root/acme-lb/${to}`);
    }
    await t.step(
      "the executable alone does its jobs",
      () => aloneOn(root, `${folder}/alone.log`),
    );
    if (groups === undefined) skipped("systemd needs a version 2 hierarchy of control groups");
    await t.step({
      name: "install.sh sets up a balancer with systemd, and takes it back",
      ignore: groups === undefined,
      fn: async (t) => {
        await using machine = await startMachine(root, { groups, log: `${folder}/systemd.log` });
        await installedOn(machine, t);
      },
    });
  },
});

async function aloneOn(root: string, log: string): Promise<void> {
  const { leaf, lower, upper } = await issueChain();
  await Deno.writeTextFile(`${root}/root/key.pem`, leaf.key.pem);
  await Deno.writeTextFile(`${root}/root/fullchain.pem`, leaf.pem + lower.pem + upper.pem);
  await using machine = await startMachine(root, { log });
  const absent = await machine.run(["sh", "-c", "command -v deno node npm cc"]);
  assert.equal(absent.stdout, "");
  await machine.sh(`
    mkdir -p /run/acme/acme-challenge /etc/haproxy/certs
    cp /root/acme-lb/acme-lb /usr/local/bin/
  `);
  assert.match(await machine.sh("acme-lb --version"), /^acme-lb \S+ \((carrying|compiled) form, /);
  assert.match(
    await machine.sh(`acme-lb self-signed --name service.example --out ${PEM}`),
    /: written: placeholder for service\.example /,
  );
  const placeholder = await machine.run(["acme-lb", "check-expiry", PEM]);
  assert.match(placeholder.stdout, /^WARNING: .*is the placeholder /m);
  assert.equal(placeholder.code, 1);
  await machine.sh(
    `acme-lb assemble-pem --key /root/key.pem --fullchain /root/fullchain.pem --out ${PEM}`,
  );
  assert.match(await machine.sh(`acme-lb check-expiry ${PEM}`), /^OK /m);

  await machine.sh(`acme-lb serve >/root/log 2>&1 & echo $! >/root/pid; echo Hello >${TOKEN}`);
  await eventually(async () => {
    const log = await machine.sh("cat /root/log");
    return /event=listening role=challenge/.test(log) ? true : undefined;
  }, { what: () => "acme-lb serve to listen", deadline: 300_000 });
  await servesOn(machine, "Hello");
  await machine.sh("kill $(cat /root/pid)");
  await eventually(async () => {
    const log = await machine.sh("cat /root/log");
    return /event=stopped/.test(log) ? true : undefined;
  }, { what: () => "acme-lb serve to stop", deadline: 300_000 });
  await machine.sh(`rm -rf /usr/local/bin/acme-lb /etc/haproxy /root/key.pem /root/fullchain.pem \
    /root/log /root/pid /var/cache/acme-lb`);
}

async function servesOn(machine: Machine, text: string): Promise<void> {
  const url = "http://[::1]/.well-known/acme-challenge/token";
  const challenge = await machine.reach(["curl", "-sS", "--globoff", url]);
  assert.deepEqual([challenge.stdout, challenge.stderr], [`${text}\n`, ""]);
  const redirect = await machine.reach([
    "curl",
    "-sSI",
    "-H",
    "Host: service.example",
    "127.0.0.1",
  ]);
  assert.match(
    redirect.stdout,
    /^HTTP\/1\.1 301 .*\nlocation: https:\/\/service\.example\/\r\n/ims,
  );
}

async function installedOn(machine: Machine, t: Deno.TestContext): Promise<void> {
  const install = (...args: string[]) =>
    machine.run(["/root/acme-lb/install.sh", ...args], { env: { PATH: `/root/shim:${PATH}` } });
  const WITH = ["--binary", "/root/acme-lb/acme-lb"];
  const before = await filesOn(machine);

  await t.step("--dry-run changes nothing", async () => {
    const { code, stdout, stderr } = await install(...WITH, "--dry-run");
    assert.deepEqual([code, stdout], [0, ""], stderr);
    assert.match(stderr, /would install \/etc\/systemd\/system\/acme-lb\.service\n/);
    assert.match(stderr, /would enable acme-lb\.service\n/);
    assert.deepEqual(await filesOn(machine), before);
  });

  await t.step("a failure near the end undoes every step", async () => {
    await machine.sh(`mkdir /root/shim
      printf '#!/bin/sh\\necho no room >&2\\nexit 1\\n' >/root/shim/systemd-tmpfiles
      chmod 755 /root/shim/systemd-tmpfiles`);
    const { code, stderr } = await install(...WITH);
    await machine.sh("rm -r /root/shim");
    assert.match(stderr, /no room\ninstall\.sh: failed: the changes of this run are undone\n$/);
    assert.equal(code, 1);
    assert.deepEqual(await filesOn(machine), before);
  });

  await t.step("--install", async () => {
    const { code, stdout, stderr } = await install("--install", ...WITH);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Next:\n.*systemctl start acme-lb .*acme-lb self-test\n/s);
    assert.equal(
      await machine.sh("stat -c '%U %G %a' /run/acme/acme-challenge /etc/acme-lb/config.yaml"),
      "root acme-challenge 2775\nroot root 644\n",
    );
    assert.match(
      await machine.sh("id acme-lb"),
      /^uid=\d+\(acme-lb\) gid=\d+\(acme-lb\) groups=\d+\(acme-lb\)$/m,
    );
    assert.equal(await machine.sh("systemctl is-enabled acme-lb"), "enabled\n");
    assert.equal(await stateOf(machine, "acme-lb.service"), "inactive");
    assert.equal(await stateOf(machine, "acme-lb-check-expiry.timer"), "inactive");
  });

  await t.step("the service serves, confined", async () => {
    await machine.sh("systemctl start acme-lb");
    await machine.sh(`echo Hello >${TOKEN}`);
    await eventually(async () => {
      const log = await machine.sh("journalctl --unit acme-lb --output cat");
      return /role=challenge address=\[::\]:31080/.test(log) ? true : undefined;
    }, { what: () => "the service to listen", deadline: 300_000 });
    await servesOn(machine, "Hello");

    const status = await machine.sh("cat /proc/$(systemctl show -P MainPID acme-lb)/status");
    const NET_BIND_SERVICE = "0000000000000400";
    for (const set of ["Prm", "Eff", "Bnd", "Amb"]) {
      assert.match(status, new RegExp(`^Cap${set}:\t${NET_BIND_SERVICE}$`, "m"));
    }
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    assert.doesNotMatch(status, /^Uid:\t0/m);
  });

  await t.step("the service sees no keys and can write nowhere", async () => {
    await machine.sh(`mkdir -p /etc/haproxy/certs; chmod 755 /etc/haproxy /etc/haproxy/certs
      echo key >${PEM}; chmod 644 ${PEM}; systemctl restart acme-lb`);
    const seen = await machine.sh(`
      pid=$(systemctl show -P MainPID acme-lb)
      cd /
      as_service() { nsenter --target $pid --mount --root --wd -- setpriv --reuid=acme-lb --regid=acme-lb \\
        --clear-groups --inh-caps=-all --bounding-set=-all sh -c "$1" 2>&1 || :; }
      as_service "cat ${TOKEN}"
      as_service "cat ${PEM}"
      as_service "ls /root"
      as_service "echo x >/var/tmp/x && echo in its own /var/tmp"
      for folder in / /etc/acme-lb /run/acme/acme-challenge /var/lib /usr/local/bin; do
        as_service "echo x >$folder/x"
      done`);
    const lines = seen.trim().split("\n");
    assert.equal(lines[0], "Hello");
    assert.match(lines[1]!, /Permission denied/);
    assert.match(lines[2]!, /Permission denied/);
    assert.equal(lines[3], "in its own /var/tmp");
    assert.equal(lines.length, 9);
    for (const line of lines.slice(4)) {
      assert.match(line, /Read-only file system|Permission denied/);
    }
    assert.equal(await machine.sh("ls /var/tmp/x 2>/dev/null || :"), "");
  });

  await t.step("a second run changes nothing", async () => {
    const [files, process] = [await filesOn(machine), await mainPid(machine)];
    const { code, stdout, stderr } = await install(...WITH);
    assert.deepEqual([code, stdout], [0, ""], stderr);
    assert.match(stderr, /\ninstall\.sh: nothing to change\n$/);
    assert.deepEqual([await filesOn(machine), await mainPid(machine)], [files, process]);
  });

  await t.step("reload applies a valid configuration and refuses a wrong one", async () => {
    const process = await mainPid(machine);
    await machine.sh(`echo 'metrics: { listen: ["[::1]:9180"] }' >>/etc/acme-lb/config.yaml
      systemctl reload acme-lb`);
    await eventually(async () => {
      const { stdout } = await machine.reach([
        "curl",
        "-s",
        "--globoff",
        "http://[::1]:9180/healthz",
      ]);
      return stdout === "ok\n" ? true : undefined;
    }, { what: () => "the metrics port after a reload", deadline: 300_000 });
    await machine.sh("echo 'peers: 3' >>/etc/acme-lb/config.yaml");
    const { code } = await machine.run(["systemctl", "reload", "acme-lb"]);
    assert.equal(code, 1);
    const log = await machine.sh("journalctl --unit acme-lb --output cat --lines 5");
    assert.match(log, /config\.yaml:\d+:8: peers: expected a list/);
    assert.equal(await mainPid(machine), process);
    await servesOn(machine, "Hello");
    await machine.sh("sed -i '/^peers: 3/d' /etc/acme-lb/config.yaml");
  });

  await t.step(
    "a killed service comes back, one with a wrong configuration does not try again",
    async () => {
      const process = await mainPid(machine);
      await machine.sh(`kill -KILL ${process}`);
      await eventually(async () => {
        const now = await mainPid(machine);
        return now !== "0" && now !== process &&
            await stateOf(machine, "acme-lb.service") === "active"
          ? true
          : undefined;
      }, { what: () => "the service after SIGKILL", deadline: 300_000 });
      await machine.sh("echo 'peers: 3' >>/etc/acme-lb/config.yaml");
      assert.notEqual((await machine.run(["systemctl", "restart", "acme-lb"])).code, 0);
      await eventually(
        async () => await stateOf(machine, "acme-lb.service") === "failed" ? true : undefined,
        {
          what: () => "the service to fail",
          deadline: 300_000,
        },
      );
      assert.equal(await machine.sh("systemctl show -P ExecMainStatus acme-lb"), "78\n");
      await machine.sh("sed -i '/^peers: 3/d' /etc/acme-lb/config.yaml; systemctl restart acme-lb");
    },
  );

  await t.step(
    "start, restart and reload fail when it does not serve afterwards, and say why",
    async () => {
      const config = "/etc/acme-lb/config.yaml";
      await machine.sh(`cp -p ${config} /root/good.yaml
      acme-lb redirect --listen '[::1]:9999' >/root/squatter 2>&1 & echo $! >/root/pid`);
      await eventually(async () => {
        const log = await machine.sh("cat /root/squatter");
        return /event=listening/.test(log) ? true : undefined;
      }, { what: () => "another process to have the port", deadline: 60_000 });
      const faults: [what: string, spoil: string, said: RegExp][] = [
        ["a wrong key", `echo 'pears: []' >>${config}`, /config\.yaml:\d+:1: pears/],
        ["an unreadable file", `chmod 600 ${config}`, /config\.yaml: permission denied/],
        [
          "a port that is taken",
          `sed -i '/^metrics/d' ${config}; echo 'metrics: { listen: ["[::1]:9999"] }' >>${config}`,
          /cannot listen on \[::1\]:9999: another process has the port/,
        ],
      ];
      for (const [what, spoil, said] of faults) {
        await machine.sh(spoil);
        const process = await mainPid(machine);
        for (const verb of ["reload", "restart", "start"]) {
          const since = (await machine.sh("date +%s")).trim();
          const { code } = await machine.run(["systemctl", verb, "acme-lb"]);
          assert.notEqual(code, 0, `${verb} with ${what}`);
          const log = await machine.sh(`journalctl --unit acme-lb --output cat --since @${since}`);
          assert.match(log, said, `${verb} with ${what}`);
          if (verb === "reload") {
            assert.equal(await mainPid(machine), process, what);
            await servesOn(machine, "Hello");
          }
        }
        // It is retried every second, and has no status while it tries.
        await eventually(async () => {
          const { stdout } = await machine.run(["systemctl", "status", "acme-lb"]);
          return said.test(stdout) ? true : undefined;
        }, { what: () => `systemctl status to tell of ${what}`, deadline: 60_000 });
        await machine.sh(`cp -p /root/good.yaml ${config}; systemctl start acme-lb`);
        await servesOn(machine, "Hello");
      }
      await machine.sh("kill $(cat /root/pid); rm /root/squatter /root/good.yaml /root/pid");
    },
  );

  await t.step("expiry is checked every hour, once there are certificates", async () => {
    await machine.sh(`acme-lb self-signed --name service.example --out /etc/haproxy/certs/own.pem
      rm ${PEM}
      echo 'certificates: [/etc/haproxy/certs]' >>/etc/acme-lb/config.yaml`);
    const { code, stdout, stderr } = await install(...WITH);
    assert.equal(code, 0, stderr);
    assert.equal(await machine.sh("systemctl is-enabled acme-lb-check-expiry.timer"), "enabled\n");
    assert.equal(await stateOf(machine, "acme-lb-check-expiry.timer"), "inactive");
    assert.match(stdout, /systemctl start acme-lb-check-expiry\.timer\n/);
    await machine.sh("systemctl start acme-lb-check-expiry.timer");

    await machine.sh("mkdir -p /var/lib/prometheus/node-exporter");
    const { code: verdict } = await machine.run(["systemctl", "start", "acme-lb-check-expiry"]);
    assert.equal(verdict, 1, "a placeholder is a WARNING");
    const log = await machine.sh("journalctl --unit acme-lb-check-expiry --output cat");
    assert.match(log, /^WARNING: .*own\.pem: is the placeholder /m);
    const metrics = "/var/lib/prometheus/node-exporter/acme-lb.prom";
    assert.match(await machine.sh(`cat ${metrics}`), /^acme_lb_\w+\{.*own\.pem/m);
    assert.equal(await machine.sh(`stat -c '%U %a' ${metrics}`), "root 644\n");
    assert.equal(await machine.sh("ls -A /var/lib/prometheus/node-exporter"), "acme-lb.prom\n");
    await machine.sh("rm -r /var/lib/prometheus");
  });

  await t.step(
    "--uninstall keeps the operator's own work when there is nobody to ask",
    async () => {
      const { code, stderr } = await install("--uninstall");
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^install\.sh: keep \/etc\/acme-lb\/config\.yaml$/m);
      assert.match(stderr, /^install\.sh: keep \/run\/acme\/acme-challenge$/m);
      assert.match(stderr, /^install\.sh: keep \/var\/lib\/acme-lb$/m);
      assert.match(await machine.sh("cat /etc/acme-lb/config.yaml"), /^certificates: /m);
      assert.match(await machine.sh("getent group acme-challenge"), /^acme-challenge:/);
      assert.equal((await machine.run(["getent", "passwd", "acme-lb"])).code, 2);
      assert.equal(await stateOf(machine, "acme-lb.service"), "inactive");
      await machine.sh(
        `rm -r /etc/acme-lb /etc/haproxy /run/acme /var/lib/acme-lb; groupdel acme-challenge`,
      );
      assert.deepEqual(await filesOn(machine), before);
    },
  );

  await t.step("--uninstall asks, and removes everything it is allowed to", async () => {
    assert.equal((await install(...WITH)).code, 0);
    await machine.sh("systemctl start acme-lb");
    // One answer for each question: more than the terminal holds would keep both sides waiting.
    const said = await machine.sh(`printf 'y\\ny\\ny\\n' |
      script --quiet --return --command '/root/acme-lb/install.sh --uninstall' /dev/null`);
    assert.match(said, /remove \/etc\/acme-lb\/config\.yaml\? \[y\/N\]/);
    assert.match(said, /remove \/run\/acme\/acme-challenge\? \[y\/N\]/);
    assert.match(said, /remove \/var\/lib\/acme-lb\? \[y\/N\]/);
    assert.deepEqual(await filesOn(machine), before);
  });
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Files, owners and accounts, but for what a running system writes down for itself. */
async function filesOn(machine: Machine): Promise<string[]> {
  const files = await machine.sh(`find / /run/acme -xdev \\( -path /var/log -o -path /var/tmp -o \\
      -path '/etc/*-' -o -path /etc/.pwd.lock -o -path /var/lib/systemd/timers -o -path /root \\) -prune -o -printf '%p %U %G %m %l\\n' \\
      2>/dev/null | grep -v '^/ ' || :
    cat /etc/passwd /etc/group`);
  return files.split("\n").sort();
}

const stateOf = async (machine: Machine, unit: string) =>
  (await machine.run(["systemctl", "is-active", unit])).stdout.trim();

const mainPid = async (machine: Machine) =>
  (await machine.sh("systemctl show -P MainPID acme-lb")).trim();

function skipped(reason: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`skipped: a fresh Debian: ${reason}\n`));
}
