/**
 * Running out of descriptors: the process must neither end nor go deaf. Deno.serve ends then, and
 * node:http never accepts again.
 */

import assert from "node:assert/strict";
import { eventually, logged, tail } from "./daemon.ts";
import { startLoopback, statusOf } from "./loopback.ts";
import { lacking } from "./requirements.ts";

const DESCRIPTORS = 128;
const CONNECTIONS = 300;
/**
 * Guards against a deaf server. It must stay below the 5 s after which idle connections are
 * closed anyway, else recovery by that would pass for recovery by release.
 */
const PATIENCE = 4_000;

Deno.test({
  name: "serve goes on in the same process when 300 idle connections took its 128 descriptors",
  ignore: lacking({ for: "running out of descriptors", programs: ["sh"] }),
  async fn() {
    const limited = ["sh", "-c", `ulimit -n ${DESCRIPTORS}; exec "$@"`, "sh"];
    await using server = await startLoopback({ wrapper: limited });
    const { daemon, port } = server;
    try {
      const limits = await Deno.readTextFile(`/proc/${daemon.pid}/limits`);
      assert.match(limits, new RegExp(`Max open files +${DESCRIPTORS} +${DESCRIPTORS} `));

      const idle = await openIdle(port);
      try {
        await logged(daemon, /event=accept_failed/, { deadline: PATIENCE });
      } finally {
        for (const conn of idle) conn.close();
      }
      const status = await eventually(() => statusOf(port, 1_000), {
        what: () => "an answer after the connections were released",
        deadline: PATIENCE,
      });
      assert.equal(status, 301);

      const { success, signal } = await daemon.stop();
      assert.deepEqual([success, signal], [true, null], "how the process ended at last");
    } catch (error) {
      throw new Error(`${error}\n${await tail(daemon.log)}`, { cause: error });
    }
  },
});

/** Connections beyond the kernel's queue are refused or hang; neither is the server's doing. */
async function openIdle(port: number): Promise<Deno.TcpConn[]> {
  const signal = AbortSignal.timeout(2_000);
  const attempts = Array.from(
    { length: CONNECTIONS },
    () => Deno.connect({ hostname: "127.0.0.1", port, signal }),
  );
  const settled = await Promise.allSettled(attempts);
  return settled.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
}
