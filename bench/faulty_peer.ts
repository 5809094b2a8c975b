/** Peers that are there and of no use: one never answers, one answers 500. */

const FAILED = new TextEncoder().encode(
  "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
);

/** Listens on every address of this machine until disposed of. */
export function startFaultyPeer(port: number, behaviour: "hang" | "fail"): Disposable {
  const listener = Deno.listen({ hostname: "::", port });
  const open = new Set<Deno.Conn>();

  async function answer(conn: Deno.Conn): Promise<void> {
    open.add(conn);
    try {
      await conn.read(new Uint8Array(4096));
      if (behaviour === "fail") await conn.write(FAILED);
      // A peer that hangs holds the connection until the other side gives up.
      else while (await conn.read(new Uint8Array(4096)) !== null);
    } catch {
      // The other side has given up.
    }
    open.delete(conn);
    conn.close();
  }

  async function acceptAll(): Promise<void> {
    try {
      while (true) void answer(await listener.accept());
    } catch {
      // Closed.
    }
  }

  void acceptAll();
  return {
    [Symbol.dispose]() {
      listener.close();
      for (const conn of open) conn.close();
    },
  };
}
