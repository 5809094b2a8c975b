/** `[::]` on every kernel: dual stack, only IPv6, and without IPv6. */

import assert from "node:assert/strict";
import { bind, type ListenSystem } from "../../lib/http/bind.ts";
import { JobError } from "../../lib/errors.ts";

/** A kernel with its own idea of `::`, and the ports that other processes have. */
function kernel(kind: "dual" | "v6only" | "no IPv6", taken: string[] = []) {
  const open = new Set<string>(taken);
  let free = 40_000;
  const system: ListenSystem = ({ hostname = "0.0.0.0", port }) => {
    const chosen = port === 0 ? free++ : port;
    if (hostname.includes(":") && kind === "no IPv6") {
      throw Object.assign(new Error("Address family not supported by protocol (os error 97)"), {
        code: "EAFNOSUPPORT",
      });
    }
    const claims = [`${hostname} ${chosen}`];
    if (hostname === "::" && kind === "dual") claims.push(`0.0.0.0 ${chosen}`);
    if (claims.some((claim) => open.has(claim))) throw new Deno.errors.AddrInUse("in use");
    for (const claim of claims) open.add(claim);
    const close = () => claims.forEach((claim) => open.delete(claim));
    return {
      addr: { transport: "tcp", hostname, port: chosen },
      close,
      [Symbol.dispose]: close,
    } as unknown as Deno.TcpListener;
  };
  return { system, open };
}

function hosts(address: string, system: ListenSystem) {
  const bound = bind({ hostname: address, port: 80 }, system);
  return {
    hosts: bound.sockets.map(({ addr }) => `${addr.hostname} ${addr.port}`),
    at: bound.address.hostname,
    ipv4Only: bound.ipv4Only,
  };
}

Deno.test("bind() on [::] accepts both families for any net.ipv6.bindv6only, or the only one there is", () => {
  assert.deepEqual(hosts("::", kernel("dual").system), {
    hosts: [":: 80"],
    at: "::",
    ipv4Only: false,
  });
  assert.deepEqual(hosts("::", kernel("v6only").system), {
    hosts: [":: 80", "0.0.0.0 80"],
    at: "::",
    ipv4Only: false,
  });
  assert.deepEqual(hosts("::", kernel("no IPv6").system), {
    hosts: ["0.0.0.0 80"],
    at: "0.0.0.0",
    ipv4Only: true,
  });
});

Deno.test("bind() does not change other addresses, and leaves no trial socket open", () => {
  for (const kind of ["dual", "v6only"] as const) {
    const { system, open } = kernel(kind);
    assert.deepEqual(hosts("::1", system).hosts, ["::1 80"]);
    assert.deepEqual(hosts("0.0.0.0", system).hosts, ["0.0.0.0 80"]);
    assert.deepEqual(open.size, 2);
  }
  assert.throws(
    () => hosts("2001:db8::1", kernel("no IPv6").system),
    /the kernel has no IPv6; listen on 0\.0\.0\.0/,
  );
});

Deno.test("bind() takes all or nothing, and says that another process has the port", () => {
  const { system, open } = kernel("v6only", ["0.0.0.0 80"]);
  assert.throws(() => bind({ hostname: "::", port: 80 }, system), (error: Error) => {
    return error instanceof JobError &&
      /\[::\]:80: another process has the port/.test(error.message);
  });
  assert.deepEqual([...open], ["0.0.0.0 80"]);
});

Deno.test("bind() on port 0 gives both families the same port", () => {
  const { sockets, address } = bind({ hostname: "::", port: 0 }, kernel("v6only").system);
  assert.deepEqual(sockets.map(({ addr }) => addr.port), [address.port, address.port]);
});

Deno.test("bind() of the real kernel answers IPv4 and IPv6 on [::]", async () => {
  const { sockets, address } = bind({ hostname: "::", port: 0 });
  try {
    for (const hostname of ["127.0.0.1", "::1"]) {
      (await Deno.connect({ hostname, port: address.port })).close();
    }
  } finally {
    for (const socket of sockets) socket.close();
  }
});
