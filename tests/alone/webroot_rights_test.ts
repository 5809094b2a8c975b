/**
 * Which directories of a webroot a user without rights cannot enter.
 *
 * Alone: the user is that of the whole process.
 */

import assert from "node:assert/strict";
import { actAs } from "../../lib/act_as.ts";
import { webrootWarnings } from "../../lib/config/webroot_warnings.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const isRoot = Deno.uid() === 0;
// deno-lint-ignore no-console -- the reason belongs beside the test's "ignored" line
if (!isRoot) console.error("skipped: a webroot's rights: only root can be a user without them");

Deno.test({
  name: "webrootWarnings() names each directory of the nested layout that cannot be entered",
  ignore: !isRoot,
  async fn() {
    for (const name of [".well-known", ".well-known/acme-challenge"]) {
      await using folder = await temporaryFolder();
      const webroot = `${folder.path}/webroot`;
      await Deno.mkdir(`${webroot}/.well-known/acme-challenge`, { recursive: true });
      await Deno.chmod(folder.path, 0o755);
      await Deno.chmod(`${webroot}/${name}`, 0o700);
      const [line = ""] = await actAs({ uid: 65534, gid: 65534 }, () => webrootWarnings(webroot));
      assert.match(line, new RegExp(`/${name} cannot be read by this user \\(mode 700\\)`));
    }
  },
});
