/**
 * Which directories of a webroot a user without rights cannot enter.
 *
 * Alone: the user is that of the whole process.
 */

import assert from "node:assert/strict";
import { actAs } from "../../lib/act_as.ts";
import { webrootWarnings } from "../../lib/config/webroot_warnings.ts";
import { temporaryFolder } from "../temporary_folder.ts";

Deno.test({
  name: "webrootWarnings() names each directory of the nested layout that cannot be entered",
  ignore: Deno.uid() !== 0, // Needs another user, for whom modes count.
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
