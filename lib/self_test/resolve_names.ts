/**
 * The addresses of names as the CA finds them: from the DNS, not from this machine's hosts file,
 * in which balancers commonly name themselves.
 */

import { comparableAddress, parseIPv4 } from "../address.ts";
import { messageOf } from "../errors.ts";
import type { NameRecords } from "./judge_names.ts";

/** @throws when there is no answer; Deno.errors.NotFound when there is no such record */
export type ResolveDns = (name: string, type: "AAAA" | "A") => Promise<string[]>;

/** Both families of each name; wildcards have none of their own. Never rejects. */
export async function resolveNames(
  names: readonly string[],
  resolve: ResolveDns = (name, type) => Deno.resolveDns(name, type),
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
      : { reason: "it has neither AAAA nor A records, so the CA finds no balancer" };
  } catch (error) {
    return { reason: `the DNS does not tell its addresses: ${messageOf(error)}` };
  }
}

function unlessNotFound(error: unknown): string[] {
  if (error instanceof Deno.errors.NotFound) return [];
  throw error;
}
