/**
 * The addresses of names as the CA finds them: from the DNS, not from this machine's hosts file, in
 * which balancers often have their own name.
 */

import { comparableAddress, parseIPv4, type SocketAddress } from "../address.ts";
import { deadline, orAborted } from "../time.ts";
import { messageOf } from "../errors.ts";
import type { NameRecords } from "./dns_findings.ts";

/** @throws when there is no answer; Deno.errors.NotFound when there is no such record */
type ResolveDns = (name: string, type: "AAAA" | "A") => Promise<string[]>;

/** A resolver that does not answer counts as one without the name. */
const RESOLVER_TIMEOUT_MS = 10_000;

/** The DNS by the resolver of this machine, or by the one that is named. */
export function dnsBy(resolver: SocketAddress | undefined): ResolveDns {
  const nameServer = resolver && { ipAddr: resolver.hostname, port: resolver.port };
  return async (name, type) => {
    using limit = deadline(RESOLVER_TIMEOUT_MS);
    const { signal } = limit;
    return await orAborted(Deno.resolveDns(name, type, { nameServer, signal }), signal);
  };
}

/** Both families of each name; wildcards have none of their own. Never rejects. */
export async function resolveNames(
  names: readonly string[],
  resolve: ResolveDns,
): Promise<Map<string, NameRecords>> {
  const exact = names.filter((name) => !name.startsWith("*."));
  const found = exact.map(async (name): Promise<[string, NameRecords]> => [
    name,
    await recordsOf(name, resolve),
  ]);
  return new Map(await Promise.all(found));
}

async function recordsOf(name: string, resolve: ResolveDns): Promise<NameRecords> {
  // Certificates for addresses need no DNS.
  if (name.startsWith("[")) return { addresses: [comparableAddress(name.slice(1, -1))] };
  if (parseIPv4(name)) return { addresses: [name] };
  try {
    const [six, four] = await Promise.all(
      (["AAAA", "A"] as const).map((type) => resolve(name, type).catch(unlessNotFound)),
    );
    const addresses = [...six!, ...four!];
    return addresses.length > 0
      ? { addresses }
      : { addresses, reason: "it has neither AAAA nor A records, so the CA finds no balancer" };
  } catch (error) {
    return { addresses: [], reason: `the DNS gave no addresses: ${messageOf(error)}` };
  }
}

function unlessNotFound(error: unknown): string[] {
  if (error instanceof Deno.errors.NotFound) return [];
  throw error;
}
