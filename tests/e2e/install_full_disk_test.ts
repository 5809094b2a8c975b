/** install.sh on a file system that is full: at whichever file that shows, nothing of the run stays. */

import assert from "node:assert/strict";
import { place, STAND_IN, WITH } from "../install_place.ts";
import { lacking } from "./requirements.ts";

const PROGRAMS = ["unshare", "mount", "setpriv", "find", "cksum"];
const ignore = lacking({ for: "install.sh on a full disk", root: true, programs: PROGRAMS });

/** More files, folders and links than an upgrade makes. */
const MOST = 60;

/** A new file system at `there`, with what an earlier version has put there if any, and `$room`. */
const FULL_DISK = `
list() {
  find there | sort
  find there -type f | sort | xargs -r cksum
}
mount -t tmpfs -o mode=1777 tmpfs there
if [ -n "$earlier" ]; then
  mv acme-lb newer && cp earlier acme-lb
  "$@" >/dev/null 2>&1
  mv newer acme-lb
fi
mount -o "remount,nr_inodes=$(($(find there | wc -l) + room))" there
list >before
"$@" || {
  list >after
  cmp before after
  exit 1
}
`;

for (const earlier of ["", "yes"]) {
  Deno.test({
    name: `install.sh leaves nothing where a disk is full, ${earlier ? "upgrading" : "installing"}`,
    ignore,
    fn: async () => {
      await using there = await place(STAND_IN.replaceAll("0.0.0", "0.0.1"));
      await Deno.writeTextFile(`${there.path}/earlier`, STAND_IN, { mode: 0o755 });
      // Room for one more each time, until there is room for all.
      let room = 0;
      for (; room < MOST; room++) {
        const script = `earlier=${earlier} room=${room}\n${FULL_DISK}`;
        const { code, stdout, stderr } = await there.sh(script, ...WITH);
        if (code === 0) break;
        assert.match(stderr, /No space left on device\n/);
        assert.equal(stdout, "", "cmp before after");
      }
      assert.ok(room >= (earlier ? 6 : 17) && room < MOST, `failed ${room} times`);
    },
  });
}
