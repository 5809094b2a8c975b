/**
 * All addresses of a name, as the system resolves it: its hosts file, then DNS, both families.
 * `Deno.resolveDns` asks only the DNS.
 */

/** Each address once, in the system's order. @throws when the name has none, or nobody answers */
export async function resolveName(name: string): Promise<string[]> {
  const { lookup } = await import("node:dns/promises");
  const found = await lookup(name, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}
