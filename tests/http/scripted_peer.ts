/** A server on loopback that does to each request what a test tells it to. */

/** A server that reads a request head and then does what it is told to. */
export function peerThat(
  behave: (conn: Deno.TcpConn, request: string) => Promise<void>,
): { address: Deno.NetAddr; requests: string[] } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests: string[] = [];
  const open = new Set<Promise<void>>();
  const conns = new Set<Deno.TcpConn>();
  async function serve(conn: Deno.TcpConn): Promise<void> {
    conns.add(conn);
    try {
      const buffer = new Uint8Array(4096);
      let head = "";
      while (!head.includes("\r\n\r\n")) {
        const count = await conn.read(buffer);
        if (count === null) return;
        head += String.fromCharCode(...buffer.subarray(0, count));
      }
      requests.push(head);
      await behave(conn, head);
    } catch {
      // The asker has gone, which is what many of these tests want.
    } finally {
      conns.delete(conn);
      try {
        conn.close();
      } catch {
        // Closed already.
      }
    }
  }
  const accepting = (async () => {
    try {
      while (true) {
        const serving = serve(await listener.accept());
        open.add(serving);
        void serving.then(() => open.delete(serving));
      }
    } catch {
      // Closed by the test.
    }
  })();
  return {
    address: listener.addr,
    requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const conn of conns) conn.close();
      await accepting;
      await Promise.all(open);
    },
  };
}
