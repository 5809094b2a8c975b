/**
 * What is wrong with the names that the CA resolves: none, or one family alone although the
 * balancers have both. Their addresses are asked as paths of their own.
 */

import { comparableAddress } from "../address.ts";
import type { Config } from "../config/schema.ts";
import { fault, type Finding } from "./findings.ts";

/** The addresses of a name, or why there are none. */
export type NameRecords =
  | { addresses: string[]; reason?: undefined }
  | { addresses?: undefined; reason: string };

export function judgeNames(
  records: ReadonlyMap<string, NameRecords>,
  { cluster }: Pick<Config, "cluster">,
): Finding[] {
  const { virtual_addresses, nodes, names } = cluster;
  const offered = virtual_addresses.length > 0
    ? virtual_addresses.map(({ address }) => address)
    : Object.values(nodes).flat();
  const wild = names.filter((name) => name.startsWith("*.")).map((about): Finding => ({
    level: "warn",
    rule: "wildcard",
    about,
    text: "HTTP-01 cannot validate a wildcard (RFC 8555 section 8.3); list the names themselves",
  }));
  return [...wild, ...records.entries().flatMap(([name, found]) => judge(name, found, offered))];
}

function judge(about: string, found: NameRecords, offered: string[]): Finding[] {
  if (found.reason !== undefined) {
    return [{ ...fault("unresolved", found.reason), about }];
  }
  const families = [["IPv6", "AAAA", true], ["IPv4", "A", false]] as const;
  return families.flatMap(([family, record, six]): Finding[] => {
    const has = (addresses: string[]) => addresses.some((one) => isIPv6(one) === six);
    if (has(found.addresses) || !has(offered)) return [];
    const text =
      `it has no ${record} record, though the cluster has ${family} addresses: who has ` +
      `${family} alone does not reach it`;
    return [{ level: "warn", rule: "one_family", about, text }];
  });
}

function isIPv6(address: string): boolean {
  return comparableAddress(address).includes(":");
}
