/**
 * What install.sh does as root: whom it believes, what it overwrites, what it tries as the user
 * acme-lb, and what a second prefix changes. The real executable and systemd are in tests/e2e.
 */

import assert from "node:assert/strict";
import { lacksMachine, onMachine, STAND_IN } from "./install_machine.ts";

const lacking = await lacksMachine();
if (lacking) {
  Deno.stderr.writeSync(new TextEncoder().encode(`skipped: install.sh as root: ${lacking}\n`));
}
const ignore = lacking !== undefined;

const INSTALL = "sh install.sh --install --binary ./acme-lb </dev/null";
const QUIETLY = `${INSTALL} >/dev/null 2>&1`;
const UNINSTALL = "sh install.sh --uninstall </dev/null";

Deno.test({
  name: "--uninstall as root believes no list that another user can have written",
  ignore,
  fn: async (t) => {
    const user = "chown -R 65533:65533";
    const table: [what: string, prepare: string][] = [
      ["a user's own", `${user} /opt/user`],
      [
        "root's list in a user's directory",
        `${user} /opt/user; chown root /opt/user/share/acme-lb/installed`,
      ],
      ["a user's prefix above it", "chown 65533 /opt/user"],
      ["everybody's directory", "chmod 777 /opt/user/share"],
      [
        "a group's directory",
        "chgrp 65533 /opt/user/share/acme-lb; chmod 775 /opt/user/share/acme-lb",
      ],
      [
        "a list that a group can write",
        "chgrp 65533 /opt/user/share/acme-lb/installed; chmod 664 /opt/user/share/acme-lb/installed",
      ],
      [
        "a user's link on the way",
        `mv /opt/user /opt/real; ln -s real /opt/user; chown -h 65533 /opt/user`,
      ],
    ];
    for (const [what, prepare] of table) {
      await t.step(what, async () => {
        const { stdout } = await onMachine(`
          mkdir -p /opt/user/share/acme-lb /opt/user/bin /opt/important; echo x >/opt/important/file; echo y >/etc/precious
          printf 'file %s\\n' /opt/important /etc/precious /opt/user/bin/acme-lb >/opt/user/share/acme-lb/installed
          ${prepare}
          sh install.sh --uninstall --prefix /opt/user </dev/null; echo "exit $?"
          cat /opt/important/file /etc/precious`);
        assert.match(
          stdout,
          /can be changed by users other than root, .*run this as its owner\nexit 1\n/,
        );
        assert.match(stdout, /\nx\ny\n$/);
      });
    }
  },
});

Deno.test({
  name: "--uninstall removes nothing that an installation with its prefix cannot have made",
  ignore,
  fn: async () => {
    const { stdout } = await onMachine(`
      ${QUIETLY}
      echo y >/etc/precious; mkdir -p /opt/dir; echo z >/opt/dir/file
      ln -s /etc/precious /usr/local/share/link
      printf '%s\\n' 'file /etc/precious' 'file /usr/local/share/../../../etc/precious' 'file /opt/dir' \\
        'cache /opt/dir' 'config /opt/dir/file' 'user nobody' 'group daemon' 'unit cron.service' \\
        'folder /usr/local/../opt/dir' 'file /usr/local/share/link' >>/usr/local/share/acme-lb/installed
      sh install.sh --uninstall </dev/null; echo "exit $?"
      cat /etc/precious /opt/dir/file; getent passwd nobody; getent group daemon
      ls /usr/local/bin /etc/systemd/system`);
    assert.match(stdout, /exit 1\ny\nz\nnobody:.*\ndaemon:/);
    assert.match(stdout, /installed: unknown line: (unit cron\.service|file \/opt\/dir|config)/);
  },
});

Deno.test({
  name:
    "as root it writes, and removes, in no directory below the prefix that another user can change",
  ignore,
  fn: async (t) => {
    const below = "--prefix /opt/x";
    const install = `sh install.sh --install ${below} --binary ./acme-lb --no-systemd </dev/null`;
    const table: [what: string, prepare: string][] = [
      ["a user's bin", "mkdir -p /opt/x/bin; chown 65533 /opt/x/bin"],
      ["a user's share", "mkdir -p /opt/x/share; chown 65533 /opt/x/share"],
      ["everybody's completions", "mkdir -p /opt/x/share/zsh; chmod 777 /opt/x/share/zsh"],
      [
        "a user's link on the way",
        "mkdir -p /opt/x/share /opt/real; ln -s /opt/real /opt/x/share/man; chown -h 65533 /opt/x/share/man",
      ],
    ];
    for (const [what, prepare] of table) {
      await t.step(what, async () => {
        const { stdout } = await onMachine(`
          ${prepare}; ${install}; echo "exit $?"; find /opt -type f`);
        assert.match(stdout, /\/opt\/x\/\S+ can be changed by users other than root/);
        assert.match(stdout, /the changes of this run are undone\nexit 1\n$/);
      });
    }
    await t.step("a directory that became a user's later", async () => {
      const { stdout } = await onMachine(`
        ${install} >/dev/null 2>&1; man=/opt/x/share/man; mv $man/man8 /opt/other
        ln -s /opt/other $man/man8; chown -h 65533 $man $man/man8
        sh install.sh --uninstall ${below} </dev/null; echo "exit $?"; find /opt -type f`);
      assert.match(stdout, /keep \/opt\/x\/share\/man\/man8\/acme-lb\.8: \S+ can be changed by/);
      assert.match(stdout, /\nexit 0\n\/opt\/other\/acme-lb\.8\n$/);
    });
  },
});

Deno.test({
  name: "--uninstall checks the whole list before it removes anything",
  ignore,
  fn: async () => {
    const list = "/usr/local/share/acme-lb/installed";
    const { stdout } = await onMachine(`
      ${QUIETLY}; find /usr/local -type f >before; cp ${list} whole
      (echo "socket /run/x"; cat whole) >${list}
      ${UNINSTALL}; echo "exit $?"; find /usr/local -type f | cmp before && echo "all is there"
      # As an editor may leave it: with a blank line, and without a newline at the end.
      (echo; printf %s "$(cat whole)") >${list}
      ${UNINSTALL} >/dev/null 2>&1; echo "exit $?"; find /usr/local -type f`);
    assert.match(stdout, /unknown line: socket \/run\/x\nexit 1\nall is there\nexit 0\n$/);
  },
});

Deno.test({
  name: "a second prefix leaves units, users, configuration and cache to the first",
  ignore,
  fn: async () => {
    const { stdout } = await onMachine(`
      ${QUIETLY}; echo "first $?"
      cp -a /etc/systemd/system/acme-lb.service before; mkdir -p /var/cache/acme-lb/serve/x
      sh install.sh --install --prefix /opt/two --binary ./acme-lb </dev/null; echo "second $?"
      sh install.sh --uninstall --prefix /opt/two </dev/null; echo "gone $?"
      find /opt; cmp before /etc/systemd/system/acme-lb.service && echo same
      ls /etc/systemd/system/multi-user.target.wants /var/cache/acme-lb; getent passwd acme-lb
      getent group acme-challenge; /usr/local/bin/acme-lb --version; ls /etc/acme-lb
      # The other way round, the units being those of a prefix that has gone on its own.
      rm -r /usr/local/bin
      sh install.sh --install --prefix /opt/two --binary ./acme-lb </dev/null >/dev/null 2>&1; echo "third $?"
      grep ^ExecStart= /etc/systemd/system/acme-lb.service`);
    assert.match(stdout, /first 0\n/);
    assert.match(
      stdout,
      /the units run \/usr\/local\/bin\/acme-lb: only what lies below \/opt\/two is/,
    );
    assert.match(stdout, /second 0\n/);
    assert.match(stdout, /gone 0\n\/opt\nsame\n/);
    assert.match(stdout, /\nacme-lb\.service\n[\s\S]*\nacme-lb:x:[\s\S]*\nacme-challenge:x:/);
    assert.match(stdout, /\nserve\n/);
    assert.match(
      stdout,
      /\nacme-lb 0\.0\.0\nconfig\.yaml\nthird 0\nExecStart=\/opt\/two\/bin\/acme-lb serve\n/,
    );
  },
});

Deno.test({
  name: "what the user acme-lb cannot do is said, with what to do about it, and is no success",
  ignore,
  fn: async (t) => {
    const closed =
      "mkdir /etc/acme-lb; echo 'peers: []' >/etc/acme-lb/config.yaml; chmod 755 /etc/acme-lb;";
    const bind = (words: string) =>
      STAND_IN.replace(/challenge-server\).*/, `challenge-server) echo "${words}" >&2; exit 1 ;;`);
    const table: [what: string, prepare: string, said: RegExp, standIn?: string][] = [
      [
        "a file of mode 0600",
        `${closed} chmod 600 /etc/acme-lb/config.yaml`,
        /config\.yaml has mode 600 .*cannot read it[\s\S]*chmod 640/,
      ],
      [
        "a directory of mode 0700",
        `${closed} chmod 700 /etc/acme-lb`,
        /acme-lb has mode 700 .*cannot read it[\s\S]*chmod 750/,
      ],
      [
        "both, as a umask of 077 makes them",
        `umask 077; ${closed} chmod 700 /etc/acme-lb`,
        /config\.yaml has mode 600/,
      ],
      [
        "another group's",
        `${closed} chgrp daemon /etc/acme-lb/config.yaml; chmod 640 /etc/acme-lb/config.yaml`,
        /mode 640 and belongs to root:daemon/,
      ],
      [
        "a low port",
        ":",
        /cannot open port 80: acme-lb: cannot listen on .*: not permitted/,
        bind("acme-lb: cannot listen on 127.31.80.1:80: not permitted"),
      ],
      [
        "a runtime that is nowhere to unpack",
        ":",
        /cannot run it: acme-lb: nowhere to unpack to; .*noexec/,
        STAND_IN.replace(
          "check-config) ",
          "check-config) [ $(id -u) = 0 ] || { echo 'acme-lb: nowhere to unpack to; /var/cache/acme-lb: takes no executable file (noexec?)'; exit 1; }; ",
        ),
      ],
      [
        "a program that others may not run",
        "mkdir -m 700 /usr/local/bin",
        /the user acme-lb cannot run it: /,
      ],
    ];
    for (const [what, prepare, said, standIn] of table) {
      await t.step(what, async () => {
        const { stdout } = await onMachine(`${prepare}\n${INSTALL}; echo "exit $?"`, standIn);
        assert.match(stdout, said);
        assert.match(
          stdout,
          /but its service would not work:\n {2}the user acme-lb cannot [\s\S]*exit 1\n$/,
        );
      });
    }
    const fine: [what: string, prepare: string, standIn?: string][] = [
      ["nothing", ":"],
      [
        "a file of its group",
        `${closed} groupadd acme-lb; chgrp acme-lb /etc/acme-lb/config.yaml; chmod 640 /etc/acme-lb/config.yaml`,
      ],
      [
        "a port that somebody else has",
        ":",
        bind("acme-lb: cannot listen on 127.31.80.1:80: another process has the port"),
      ],
    ];
    for (const [what, prepare, standIn] of fine) {
      await t.step(`but not ${what}`, async () => {
        const { stdout } = await onMachine(`${prepare}\n${INSTALL}; echo "exit $?"`, standIn);
        assert.match(
          stdout,
          /acme-lb is installed\. Next:[\s\S]*systemctl start acme-lb [\s\S]*exit 0\n$/,
        );
        assert.doesNotMatch(stdout, /cannot/);
      });
    }
  },
});

Deno.test({
  name: "a file that somebody has changed is never overwritten without a copy",
  ignore,
  fn: async (t) => {
    const files = [
      "/etc/systemd/system/acme-lb.service",
      "/etc/systemd/system/acme-lb-check-expiry.timer",
      "/etc/tmpfiles.d/acme-lb.conf",
      "/usr/local/share/man/man8/acme-lb.8",
      "/usr/local/share/zsh/site-functions/_acme-lb",
    ];
    for (const file of files) {
      const old = `${file.replace(/[^/]*$/, "")}.${file.replace(/.*\//, "")}.old-*`;
      await t.step(file, async () => {
        const { stdout } = await onMachine(`
          mkdir -p ${file.replace(/\/[^/]*$/, "")}; echo "# before the first installation" >${file}
          ${QUIETLY}; cat ${old}; rm ${old}
          ${INSTALL} 2>&1 | tail -n 1; ls ${old}
          cp ${file} whole; echo "# mine" >>${file}
          ${INSTALL} 2>&1 | grep 'keep the old'; tail -n 1 ${old}; cmp whole ${file} && echo new; rm ${old}
          echo "# mine too" >>${file}; ${UNINSTALL} 2>&1 | grep 'changed since'; tail -n 1 ${old}; ls ${file}`);
        assert.match(
          stdout,
          /^# before the first installation\ninstall\.sh: nothing to change\nls: /,
        );
        assert.match(
          stdout,
          /\ninstall\.sh: keep the old .* as .*\.old-\d{8}-\d{6}\n# mine\nnew\n/,
        );
        assert.match(
          stdout,
          /\ninstall\.sh: it has been changed since: keep the changed file as .*\n# mine too\nls: /,
        );
      });
    }
    await t.step("the configuration is never touched at all", async () => {
      const { stdout } = await onMachine(`
        ${QUIETLY}; echo 'peers: []' >/etc/acme-lb/config.yaml; ${QUIETLY}
        ${UNINSTALL} >/dev/null 2>&1; cat /etc/acme-lb/config.yaml`);
      assert.equal(stdout, "peers: []\n");
    });
  },
});

Deno.test({
  name: "--uninstall names what still calls the program",
  ignore,
  fn: async () => {
    const callers = [
      "/etc/letsencrypt/renewal-hooks/deploy/acme-lb",
      "/etc/letsencrypt/renewal/a.example.conf",
      "/etc/cron.d/expiry",
      "/etc/keepalived/keepalived.conf",
      "/etc/dehydrated/config",
      "/etc/systemd/system/lego-renew.service",
    ];
    const { stdout } = await onMachine(`
      ${QUIETLY}
      for file in ${
      callers.join(" ")
    }; do mkdir -p "$(dirname $file)"; echo 'exec /usr/local/bin/acme-lb assemble-pem' >$file; done
      echo 'exec my-acme-lb-tool' >/etc/cron.d/other
      ${UNINSTALL}`);
    const named = [...stdout.matchAll(/still calls acme-lb: (.*)/g)].map(([, file]) => file);
    assert.deepEqual(named.toSorted(), callers.toSorted());
  },
});

Deno.test({
  name: "runtimes of versions before are swept, when nothing runs them",
  ignore,
  fn: async () => {
    const { stdout } = await onMachine(`
      cache=/var/cache/acme-lb; old=carried-0123456789abcdef0123456789abcdef
      used=carried-1123456789abcdef0123456789abcdef
      for place in $cache/$old $cache/serve/$old $cache/$used $cache/carried-away; do
        mkdir -p $place; cp /bin/sleep $place/acme-lb
      done
      $cache/$used/acme-lb 60 & running=$!
      ${INSTALL} 2>&1 | grep 'no acme-lb uses'; kill $running
      find $cache -name 'carried-*'`);
    assert.match(stdout, /carried-0123.*\n.*carried-0123/);
    assert.deepEqual(stdout.match(/^\/var.*$/mg)?.toSorted(), [
      "/var/cache/acme-lb/carried-1123456789abcdef0123456789abcdef",
      "/var/cache/acme-lb/carried-away",
    ]);
  },
});
