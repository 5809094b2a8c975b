/**
 * An attacker, as a process of its own: opens connections from many addresses at a steady rate,
 * sends the same bytes on each, and holds it until the server ends it.
 *
 * Usage: `deno run -A bench/flood.ts JSON`, see {@link Flood}. Ends at SIGTERM, and prints how many
 * connections a second it made.
 */

import net from "node:net";

export interface Flood {
  address: string;
  port: number;
  sources: string[];
  /** Connections a second; as many as it can where that is out of reach. */
  rate: number;
  /** Sent on each connection; `@` becomes a number that is new each time. */
  text: string;
}

/** Connections held at once: what the ports of the addresses and the descriptors allow. */
const MOST_OPEN = 12_000;
const TICK_MS = 10;

function run({ address, port, sources, rate, text }: Flood): () => number {
  const began = performance.now();
  let opened = 0;
  let open = 0;
  const timer = setInterval(() => {
    const due = Math.floor((performance.now() - began) / 1000 * rate);
    // What was missed is made up for in part: a large burst would be another attack.
    for (let count = 0; opened < due && count < rate / 10 && open < MOST_OPEN; count++) {
      const localAddress = sources[opened++ % sources.length];
      const socket = net.connect({ host: address, port, family: 6, localAddress });
      open++;
      socket.on("connect", () => socket.write(text.replaceAll("@", `${opened}`)));
      socket.on("data", () => {});
      socket.on("error", () => {});
      socket.on("close", () => open--);
    }
  }, TICK_MS);
  return () => {
    clearInterval(timer);
    return opened / (performance.now() - began) * 1000;
  };
}

if (import.meta.main) {
  const stop = run(JSON.parse(Deno.args[0]!));
  Deno.addSignalListener("SIGTERM", async () => {
    await Deno.stdout.write(new TextEncoder().encode(`${stop()}\n`));
    // What is still open would keep the process alive.
    Deno.exit(0);
  });
}
