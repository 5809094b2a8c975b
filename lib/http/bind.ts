/**
 * Binding a port: both families for `[::]`, whatever the kernel's settings, and the reason in the
 * operator's words where it does not work.
 */

import { formatSocketAddress, type SocketAddress } from "../address.ts";
import { JobError, messageOf } from "../errors.ts";
import { systemReason } from "../system_reason.ts";

/** What the system does; tests give one that behaves like another kernel. */
export type ListenSystem = (
  options: Deno.ListenOptions & Deno.TcpListenOptions,
) => Deno.TcpListener;

/**
 * Connections that the kernel keeps until they are accepted; it caps this at net.core.somaxconn.
 * Long enough for a flood of some thousands a second to outlast a pause of the process: what does
 * not fit is dropped, and tries again after one second, then after two more. Not longer, because in
 * a lasting overload every client waits for the whole queue.
 */
const BACKLOG = 2_048;

interface Bound {
  /** One, or two where IPv4 needs a socket of its own. */
  sockets: Deno.TcpListener[];
  /** The address with the real port where 0 was asked for. */
  address: SocketAddress;
  /** IPv6 was asked for as well, and this kernel has none. */
  ipv4Only: boolean;
}

/**
 * Binds the address; `[::]` takes IPv4 as well.
 * @throws {JobError} when the address is taken, not permitted or not here, with what to do
 */
export function bind(
  address: SocketAddress,
  system: ListenSystem = (options) => Deno.listen(options),
): Bound {
  const listenOn = (hostname: string, port: number) =>
    system({ hostname, port, tcpBacklog: BACKLOG });
  let { hostname } = address;
  let ipv4Only = false;
  const sockets: Deno.TcpListener[] = [];
  try {
    try {
      sockets.push(listenOn(hostname, address.port));
    } catch (error) {
      if (hostname !== "::" || !lacksFamily(error)) throw error;
      [hostname, ipv4Only] = ["0.0.0.0", true];
      sockets.push(listenOn(hostname, address.port));
    }
    const { port } = sockets[0]!.addr;
    if (hostname === "::" && !takesBothFamilies(listenOn)) sockets.push(listenOn("0.0.0.0", port));
    return { sockets, address: { hostname, port }, ipv4Only };
  } catch (error) {
    for (const socket of sockets) socket.close();
    const reason = explain(error, address);
    throw new JobError(`cannot listen on ${formatSocketAddress(address)}: ${reason}`, {
      cause: error,
    });
  }
}

/**
 * Whether a socket on `::` takes IPv4: with net.ipv6.bindv6only=1 it does not, and the runtime
 * cannot set IPV6_V6ONLY. Tried on a free port, because on the one that is wanted a failure could
 * mean another process, and because the unit may hide /proc/sys.
 */
function takesBothFamilies(
  listenOn: (hostname: string, port: number) => Deno.TcpListener,
): boolean {
  using six = listenOn("::", 0);
  try {
    using _four = listenOn("0.0.0.0", six.addr.port);
    return false;
  } catch {
    return true;
  }
}

/** The kernel was built or started without the address family (EAFNOSUPPORT). */
function lacksFamily(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "EAFNOSUPPORT" ||
    /address family/i.test(messageOf(error));
}

/** The reason for an operator, and the remedy. */
function explain(error: unknown, { port }: SocketAddress): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `another process has the port; find it with: ss -ltnp 'sport = :${port}'`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "not permitted; ports below 1024 need root or CAP_NET_BIND_SERVICE " +
      "(systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "the address is not on this machine; listen on [::] to serve virtual addresses " +
      "that come and go";
  }
  return lacksFamily(error)
    ? "the kernel has no IPv6; listen on 0.0.0.0 instead"
    : systemReason(error);
}
