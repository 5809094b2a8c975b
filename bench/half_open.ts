/**
 * A load generator of its own process: connections that send half a request head and then wait.
 *
 * Usage: `deno run -A bench/half_open.ts PORT COUNT`. Prints `open N` when it is done with opening
 * and holds what it has until its standard input ends.
 */

const HALF = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: service.example\r\nAccept: te");
/** Connects at a time: no more than the shortest of the contenders' backlogs. */
const AT_ONCE = 100;

async function open(port: number, count: number): Promise<Deno.Conn[]> {
  const held: Deno.Conn[] = [];
  let begun = 0;
  async function openSome(): Promise<void> {
    while (begun++ < count) {
      const conn = await Deno.connect({ hostname: "::1", port });
      held.push(conn);
      await conn.write(HALF);
    }
  }
  await Promise.allSettled(Array.from({ length: AT_ONCE }, openSome));
  return held;
}

if (import.meta.main) {
  const held = await open(Number(Deno.args[0]), Number(Deno.args[1]));
  await Deno.stdout.write(new TextEncoder().encode(`open ${held.length}\n`));
  for await (const _ of Deno.stdin.readable);
}
