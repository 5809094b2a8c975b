/**
 * The least that Deno can do for a redirect: accept, read once, write a constant answer, close.
 *
 * No parsing, no deadlines, no caps: what acme-lb costs beyond this is the price of being a
 * server that may stand on the Internet. Usage: `deno run -A bench/bare_loop.ts PORT`.
 */

const ANSWER = new TextEncoder().encode(
  "HTTP/1.1 301 Moved Permanently\r\nLocation: https://service.example/\r\n" +
    "Content-Length: 0\r\nConnection: close\r\n\r\n",
);

async function answer(conn: Deno.TcpConn): Promise<void> {
  try {
    if (await conn.read(new Uint8Array(1024)) !== null) await conn.write(ANSWER);
  } catch {
    // Reset by the client.
  }
  conn.close();
}

async function serve(port: number): Promise<void> {
  const listener = Deno.listen({ hostname: "::", port });
  while (true) void answer(await listener.accept());
}

if (import.meta.main) await serve(Number(Deno.args[0]));
