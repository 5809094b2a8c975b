/**
 * The visitor of `startLoad`: one process for all addresses, because each start of curl takes 50 ms of
 * a processor, which the balancers of the same machine need.
 *
 * Usage: https_client.ts NAME ADDRESS...   asks for https://NAME/ at each address, until it is ended
 */

import { request } from "node:https";
import type { Request } from "./https_load.ts";

/** A visitor's patience, and enough for a machine that does other work as well. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 400;

const [name, ...addresses] = Deno.args;
await Promise.all(addresses.map(visit));

async function visit(address: string): Promise<never> {
  while (true) {
    const start = Date.now();
    const answer = await get(address);
    const done: Request = { address, start, end: Date.now(), ...answer };
    Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(done)}\n`));
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** On a connection of its own; whose certificate it is does not matter here. */
function get(address: string): Promise<Pick<Request, "status" | "body" | "error">> {
  let [status, body] = [0, ""];
  return new Promise((resolve) => {
    const fail = ({ message }: Error) => resolve({ status, body, error: message });
    request({
      host: address,
      servername: name,
      headers: { host: name },
      agent: false,
      rejectUnauthorized: false,
      signal: AbortSignal.timeout(PATIENCE_MS),
    }, (answer) => {
      status = answer.statusCode!;
      answer.setEncoding("utf8").on("data", (text) => body += text).on("error", fail)
        .on("end", () => resolve({ status, body: body.trim() }));
    }).on("error", fail).end();
  });
}
