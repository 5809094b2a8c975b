/**
 * The program behind `startVisitor`: reads one {@link Visit} a line, makes all requests side by side,
 * and prints one {@link Visited} a line as they end.
 */

import * as http from "node:http";
import * as https from "node:https";
import { createInterface } from "node:readline";
import type { Visit, Visited } from "./visitor.ts";

print({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...visit } = JSON.parse(line);
  void get(visit).then((visited) => print({ id, ...visited }));
}

/** On a connection of its own; whose certificate it is does not matter here. */
function get({ url, name, deadline }: Visit): Promise<Visited> {
  const start = Date.now();
  let [status, body] = [0, ""];
  return new Promise((resolve) => {
    const done = (error?: string) => resolve({ start, end: Date.now(), status, body, error });
    const fail = ({ message }: Error) => done(message);
    const { request } = url.startsWith("https:") ? https : http;
    request(url, {
      headers: { host: name },
      servername: name,
      agent: false,
      rejectUnauthorized: false,
      signal: AbortSignal.timeout(deadline),
    }, (answer) => {
      status = answer.statusCode!;
      answer.setEncoding("utf8").on("data", (text) => body += text).on("error", fail)
        .on("end", () => done());
    }).on("error", fail).end();
  });
}

function print(message: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
}
