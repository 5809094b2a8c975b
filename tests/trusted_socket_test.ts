import assert from "node:assert/strict";
import { lchown } from "node:fs/promises";
import { askSocket } from "../lib/haproxy/runtime_socket.ts";
import { networkWarning, socketFault } from "../lib/trusted_socket.ts";
import { temporaryFolder } from "./temporary_folder.ts";

const STRANGER = 65533;
const HAPROXY = 65532;

Deno.test({
  name: "a key goes to no socket that another user could have put there",
  ignore: Deno.uid() !== 0,
  fn: async (t) => {
    type Owned = [uid: number, mode: number];
    const root: Owned = [0, 0o755];
    const table: [what: string, run: Owned, own: Owned, socket: number, fault?: RegExp][] = [
      ["root's socket in root's directory", root, root, 0],
      ["haproxy's socket in root's directory", root, root, HAPROXY],
      ["haproxy's in its own directory", root, [HAPROXY, 0o755], HAPROXY],
      ["haproxy's in its own directory with a group", root, [HAPROXY, 0o2775], HAPROXY],
      ["root's in haproxy's directory with a group", root, [HAPROXY, 0o2775], 0],
      ["a stranger's in a sticky directory", root, [0, 0o1777], STRANGER, /user 65533 has put it/],
      ["a stranger's in a group's directory", root, [0, 0o775], STRANGER, /user 65533 has put it/],
      ["a stranger's in haproxy's with a group", root, [HAPROXY, 0o2775], STRANGER, /65533 has/],
      ["root's below a stranger's directory", [STRANGER, 0o755], root, 0, /can exchange what is/],
      ["root's below everybody's directory", [0, 0o777], root, 0, /can exchange what is in/],
      ["haproxy's below its own", [HAPROXY, 0o755], [HAPROXY, 0o755], HAPROXY],
      ["haproxy's below a stranger's", [STRANGER, 0o755], [HAPROXY, 0o755], HAPROXY, /exchange/],
      ["root's below a sticky directory", [0, 0o1777], root, 0],
    ];
    for (const [what, run, own, owner, fault] of table) {
      await t.step(what, async () => {
        await using folder = await temporaryFolder();
        const top = folder.path;
        const got: string[] = [];
        for (
          const [path, [uid, mode]] of [[top, root], [`${top}/run`, run], [
            `${top}/run/h`,
            own,
          ]] as const
        ) {
          await Deno.mkdir(path, { recursive: true });
          await Deno.chown(path, uid, uid);
          await Deno.chmod(path, mode);
        }
        const path = `${top}/run/h/admin.sock`;
        using listener = Deno.listen({ transport: "unix", path });
        await Deno.chown(path, owner, owner);
        const serving = (async () => {
          for await (const connection of listener) {
            const buffer = new Uint8Array(1 << 16);
            const n = await connection.read(buffer) ?? 0;
            got.push(new TextDecoder().decode(buffer.subarray(0, n)));
            await connection.write(new TextEncoder().encode("done\n\n"));
            connection.close();
          }
        })();
        const said = await socketFault(path);
        if (fault) assert.match(said ?? "", fault);
        else assert.equal(said, undefined);
        const key = await askSocket(path, "set ssl cert a <<\n-----BEGIN PRIVATE KEY-----\nx\n");
        assert.equal(key.kind, fault ? "denied" : "reply");
        assert.equal((await askSocket(path, "show version")).kind, "reply");
        assert.deepEqual(
          got.map((text) => text.includes("KEY")),
          fault ? [false] : [true, false],
        );
        await Deno.symlink(path, `${top}/run/link`);
        await lchown(`${top}/run/link`, STRANGER, STRANGER);
        assert.match((await socketFault(`${top}/run/link`))!, /it is not followed/);
        listener.close();
        await serving.catch(() => {});
      });
    }
    assert.equal(await socketFault("/nowhere/at/all.sock"), undefined);
  },
});

Deno.test("a runtime API on another machine gives a warning", () => {
  for (
    const near of ["127.0.0.1:9999", "127.1.2.3:1", "[::1]:9999", "localhost:9999", "/run/a.sock"]
  ) {
    assert.equal(networkWarning(near), undefined, near);
  }
  for (
    const far of ["192.0.2.1:9999", "[2001:db8::1]:9999", "haproxy.example:9999", "0.0.0.0:9999"]
  ) {
    assert.match(networkWarning(far)!, /the private key crosses the network unencrypted/, far);
  }
});
