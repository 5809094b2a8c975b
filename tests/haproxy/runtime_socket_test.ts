import assert from "node:assert/strict";
import { askSocket } from "../../lib/haproxy/runtime_socket.ts";
import { CLOSED_PORT } from "../closed_port.ts";

/** Runs `test` against a socket whose every connection `serve` gets. */
async function withServer(
  serve: (connection: Deno.Conn) => Promise<void>,
  test: (path: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "runtime_socket_" });
  const path = `${directory}/s`;
  const listener = Deno.listen({ transport: "unix", path });
  const connections: Deno.Conn[] = [];
  const accepting = (async () => {
    try {
      for (;;) {
        const connection = await listener.accept();
        connections.push(connection);
        serve(connection).catch(() => {});
      }
    } catch {
      // Closed below.
    }
  })();
  try {
    await test(path);
  } finally {
    listener.close();
    await accepting;
    for (const connection of connections) {
      try {
        connection.close();
      } catch {
        // The script closed it.
      }
    }
    await Deno.remove(directory, { recursive: true });
  }
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("askSocket() sends the command and its end, and returns all that is said", async () => {
  let heard = "";
  const serve = async (connection: Deno.Conn) => {
    const buffer = new Uint8Array(1024);
    for (let n; (n = await connection.read(buffer)) !== null;) {
      heard += new TextDecoder().decode(buffer.subarray(0, n));
    }
    for (const part of ["one\n", "\n", "two ü".slice(0, 4), "ü\n\n"]) {
      await connection.write(bytes(part));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    connection.close();
  };
  await withServer(serve, async (path) => {
    assert.deepEqual(await askSocket(path, "show it"), {
      kind: "reply",
      text: "one\n\ntwo ü\n\n",
    });
  });
  assert.equal(heard, "show it\n");
});

Deno.test("askSocket() tells silence from an answer without words", async () => {
  for (const [text, kind] of [["", "silent"], ["\n", "reply"]] as const) {
    const serve = async (connection: Deno.Conn) => {
      await connection.read(new Uint8Array(10));
      if (text) await connection.write(bytes(text));
      connection.close();
    };
    await withServer(serve, async (path) => {
      assert.equal((await askSocket(path, "x")).kind, kind, JSON.stringify(text));
    });
  }
});

Deno.test("askSocket() takes a hang-up during a long payload for silence", async () => {
  const serve = async (connection: Deno.Conn) => {
    await connection.read(new Uint8Array(10));
    connection.close();
  };
  await withServer(serve, async (path) => {
    assert.equal((await askSocket(path, "x".repeat(5_000_000))).kind, "silent");
  });
});

Deno.test("askSocket() gives up at its deadline, whatever it is waiting for", async () => {
  const never = () => new Promise<void>(() => {});
  const half = async (connection: Deno.Conn) => {
    await connection.write(bytes("Transaction created for"));
    await never();
  };
  const drip = async (connection: Deno.Conn) => {
    for (let i = 0; i < 600; i++) {
      await connection.write(bytes("."));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const table: [what: string, serve: (c: Deno.Conn) => Promise<void>, command: string][] = [
    ["an answer", never, "x"],
    ["the rest of an answer", half, "x"],
    ["the end of a drip", drip, "x"],
    ["a reader", never, "x".repeat(5_000_000)],
  ];
  for (const [what, serve, command] of table) {
    await withServer(serve, async (path) => {
      const answer = await askSocket(path, command, { deadlineMs: 300 });
      assert.equal(answer.kind, "timeout", what);
    });
  }
});

Deno.test("askSocket() accepts an answer that ends in a blank line on an open connection", async () => {
  const serve = async (connection: Deno.Conn) => {
    await connection.write(bytes("Success!\n\n"));
    await new Promise(() => {});
  };
  await withServer(serve, async (path) => {
    assert.deepEqual(await askSocket(path, "x", { deadlineMs: 300 }), {
      kind: "reply",
      text: "Success!\n\n",
    });
  });
});

Deno.test("askSocket() tells that nobody is there from other failures", async () => {
  const directory = await Deno.makeTempDir({ prefix: "runtime_socket_" });
  try {
    const stale = `${directory}/stale`;
    Deno.listen({ transport: "unix", path: stale }).close();
    const table: [address: string, kind: string][] = [
      [`${directory}/missing`, "down"],
      [stale, "down"],
      [`127.0.0.1:${CLOSED_PORT}`, "down"],
      [`[::1]:${CLOSED_PORT}`, "down"],
      ["nonsense", "broken"],
      [`${directory}/${"x".repeat(200)}`, "broken"],
      [`${directory}/\0`, "broken"],
    ];
    for (const [address, kind] of table) {
      const answer = await askSocket(address, "x", { deadlineMs: 5000 });
      assert.equal(answer.kind, kind, `${address}: ${JSON.stringify(answer)}`);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("askSocket() reads no answer without end", async () => {
  const serve = async (connection: Deno.Conn) => {
    const chunk = bytes("x".repeat(1 << 20));
    for (let i = 0; i < 64; i++) await connection.write(chunk);
    connection.close();
  };
  await withServer(serve, async (path) => {
    const answer = await askSocket(path, "x", { deadlineMs: 60_000 });
    assert.equal(answer.kind, "broken");
  });
});

Deno.test("askSocket() speaks to TCP addresses", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(64));
    await connection.write(bytes("2.6.12\n\n"));
  })();
  const answer = await askSocket(`127.0.0.1:${listener.addr.port}`, "show version");
  await served;
  listener.close();
  assert.deepEqual(answer, { kind: "reply", text: "2.6.12\n\n" });
});
