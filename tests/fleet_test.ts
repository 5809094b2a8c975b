/**
 * The source document's example renewal, step by step, and its "Test requests": three real
 * processes on loopback, with its names. The CA's part is played by hand; with a real CA and real
 * clients the same is in e2e/issuance_test.ts.
 */

import assert from "node:assert/strict";
import { type Balancer, endFleet, startFleet } from "../examples/demo_fleet.ts";
import { lineIn } from "./e2e/daemon.ts";
import { executablePath } from "./executable.ts";
import { latin1, readAll } from "./http/raw_client.ts";

const TOKEN = "Px5gnHjdtZ3T0oCPeBXb2dHAy9rYXWDDZ1vGlSRXs8k";
const KEY_AUTHORIZATION = `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;

/** What a balancer answers on its public port. */
async function ask(balancer: Balancer, path: string): Promise<{ status: number; body: string }> {
  const [hostname, port] = balancer.publicAddress.split(":") as [string, string];
  const conn = await Deno.connect({ hostname, port: Number(port) });
  await conn.write(
    latin1(`GET ${path} HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n\r\n`),
  );
  const { text } = await readAll(conn, 10_000);
  conn.close();
  return { status: Number(text.slice(9, 12)), body: text.slice(text.indexOf("\r\n\r\n") + 4) };
}

Deno.test("a renewal on LB1 whose validation lands on LB0, in the document's ten steps", async (t) => {
  const never = new AbortController().signal;
  const fleet = await startFleet(await executablePath(), never);
  const [lb0, lb1, lb2] = fleet.balancers as [Balancer, Balancer, Balancer];
  const challenge = `/.well-known/acme-challenge/${TOKEN}`;
  try {
    await t.step(
      "1. LB1 determines that it needs a new certificate; nobody knows a token yet",
      async () => {
        for (const balancer of fleet.balancers) {
          assert.deepEqual((await ask(balancer, challenge)).status, 404, balancer.name);
        }
      },
    );
    await t.step(
      "2. the client on LB1 writes the response, and tests it through any balancer",
      async () => {
        await Deno.writeTextFile(`${lb1.webroot}/${TOKEN}`, KEY_AUTHORIZATION);
        for (const balancer of fleet.balancers) {
          const answer = { status: 200, body: KEY_AUTHORIZATION };
          assert.deepEqual(await ask(balancer, challenge), answer, balancer.name);
        }
      },
    );
    let received: { status: number; body: string };
    await t.step(
      "3. and 4. the CA is told, resolves the name, and asks the address that LB0 hosts",
      async () => {
        received = await ask(lb0, challenge);
      },
    );
    await t.step("5. to 7. LB0 does not have it, asks all others, and LB1 does", async () => {
      // The CA's is the third request for it there, and the third that reaches LB1 from a peer.
      const onLb0 = await lineIn(lb0.log, new RegExp(` role=public token=${TOKEN} `), 3);
      assert.match(onLb0, / source=peer /);
      assert.match(onLb0, new RegExp(` peer=${lb1.challengeAddress} `));
      assert.match(
        onLb0,
        new RegExp(`peers="${lb1.challengeAddress}=found ${lb2.challengeAddress}=\\w+"`),
      );
      await lineIn(
        lb1.log,
        new RegExp(` role=challenge token=${TOKEN} .* source=own .* status=200`),
        3,
      );
    });
    await t.step(
      "8. and 9. the response travels back through LB0 to the CA, as the CA wants it",
      () => {
        assert.deepEqual(received, { status: 200, body: KEY_AUTHORIZATION });
      },
    );
    await t.step("10. the client removes its response, and no balancer keeps it", async () => {
      await Deno.remove(`${lb1.webroot}/${TOKEN}`);
      for (const balancer of fleet.balancers) {
        assert.deepEqual((await ask(balancer, challenge)).status, 404, balancer.name);
      }
    });
    await t.step(
      "the document's test requests: lb0's file through LB2, and one that is nowhere",
      async () => {
        await Deno.writeTextFile(`${lb0.webroot}/lb0`, "Hello World\n");
        const prefix = "/.well-known/acme-challenge/";
        assert.deepEqual(await ask(lb2, `${prefix}lb0`), { status: 200, body: "Hello World\n" });
        assert.deepEqual((await ask(lb2, `${prefix}foobar`)).status, 404);
      },
    );
    await t.step("an outage: with LB2 gone, LB0 still finds what LB1 holds, at once", async () => {
      lb2.process.kill("SIGKILL");
      await lb2.process.status;
      await Deno.writeTextFile(`${lb1.webroot}/${TOKEN}`, KEY_AUTHORIZATION);
      assert.deepEqual(await ask(lb0, challenge), { status: 200, body: KEY_AUTHORIZATION });
      // And what nobody holds is not called absent while one cannot be asked.
      assert.deepEqual((await ask(lb0, "/.well-known/acme-challenge/foobar")).status, 502);
      assert.match(
        await lineIn(lb0.log, / role=public token=foobar /),
        new RegExp(`${lb2.challengeAddress}=refused`),
      );
    });
  } finally {
    await endFleet(fleet);
  }
});
