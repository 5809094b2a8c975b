/**
 * What is wrong with the names that the CA resolves: none at all, addresses that no CA can reach, or
 * only one family although the balancers have both. Their addresses are asked as separate paths.
 */

import { comparableAddress, familyOf } from "../address.ts";
import type { Config } from "../config/schema.ts";
import { unreachableRange } from "./ca_reach.ts";
import { fault, type SelfTestFinding } from "./findings.ts";

export interface NameRecords {
  addresses: string[];
  /** Why there are no addresses. */
  reason?: string;
}

/** Names told at once; more are counted. */
const SHOWN = 3;

export function dnsFindings(
  records: ReadonlyMap<string, NameRecords>,
  config: Pick<Config, "cluster" | "peers">,
): SelfTestFinding[] {
  const { virtual_addresses, nodes, names } = config.cluster;
  const offered = virtual_addresses.length > 0
    ? virtual_addresses.map(({ address }) => address)
    : Object.values(nodes).flat();
  const wild = names.filter((name) => name.startsWith("*.")).map((about): SelfTestFinding => ({
    level: "warn",
    rule: "wildcard",
    about,
    text: "HTTP-01 cannot validate a wildcard (RFC 8555 section 8.3); list the names themselves",
  }));
  const each = records.entries().flatMap(([name, found]) => recordFindings(name, found, offered));
  return [
    ...wild,
    ...alike([...each]),
    ...unreachable(records, config),
    ...unpublished(records, config),
  ];
}

function recordFindings(about: string, found: NameRecords, offered: string[]): SelfTestFinding[] {
  if (found.reason !== undefined) {
    return [{ ...fault("unresolved", found.reason), about }];
  }
  const families = [[6, "AAAA"], [4, "A"]] as const;
  return families.flatMap(([family, record]): SelfTestFinding[] => {
    const has = (addresses: string[]) => addresses.some((one) => familyOf(one) === family);
    if (has(found.addresses) || !has(offered)) return [];
    const text =
      `it has no ${record} record, though the cluster has IPv${family} addresses: visitors that ` +
      `have only IPv${family} cannot reach it`;
    return [{ level: "warn", rule: "one_family", about, text }];
  });
}

/** One finding where several names have the same. */
function alike(findings: SelfTestFinding[]): SelfTestFinding[] {
  const groups = Map.groupBy(findings, ({ level, rule, text }) => `${level} ${rule} ${text}`);
  return [...groups.values()].map((group) => ({
    ...group[0]!,
    about: listed(group.map(({ about }) => about!)),
  }));
}

/** Such as `a.example, b.example, c.example and 97 more`. */
export function listed(words: readonly string[]): string {
  const more = words.length - SHOWN;
  return more > 1 ? `${words.slice(0, SHOWN).join(", ")} and ${more} more` : words.join(", ");
}

/**
 * A resolver may answer from a hosts file or an internal zone, so that everything seems right on
 * this machine. Addresses in the configuration may be private, for an internal CA.
 */
function unreachable(
  records: ReadonlyMap<string, NameRecords>,
  { cluster, peers }: Pick<Config, "cluster" | "peers">,
): SelfTestFinding[] {
  const configured = new Set(
    [
      ...cluster.virtual_addresses.map(({ address }) => address),
      ...cluster.public_addresses,
      ...Object.values(cluster.nodes).flat(),
      ...peers.flatMap((peer) => "hostname" in peer ? [peer.hostname] : []),
    ].map(comparableAddress),
  );
  const pairs = records.entries().flatMap(([name, { addresses }]) =>
    addresses.map((address) => ({ name, address: comparableAddress(address) }))
  );
  return [...Map.groupBy(pairs, ({ address }) => address)].flatMap(([address, found]) => {
    const range = unreachableRange(address);
    if (!range || (range.kind === "private" && configured.has(address))) return [];
    const text = `the resolver here says ${address}, ${range.name}, where no CA can connect; it ` +
      "may answer from a hosts file or an internal zone: ask an external one with --resolver ADDRESS";
    return [{
      ...fault("no_public_address", text),
      about: listed(found.map(({ name }) => name)),
    }];
  });
}

/** Behind a router that translates addresses, the virtual ones are internal by design. */
function unpublished(
  records: ReadonlyMap<string, NameRecords>,
  { cluster }: Pick<Config, "cluster">,
): SelfTestFinding[] {
  const named = new Set(
    records.values().flatMap(({ addresses }) => addresses.map(comparableAddress)),
  );
  if (named.size === 0 || cluster.public_addresses.length > 0) return [];
  const spare = cluster.virtual_addresses.map(({ address }) => address)
    .filter((address) => !named.has(comparableAddress(address)));
  if (spare.length === 0) return [];
  const text = "no name has this address, so neither the CA nor visitors use it";
  return [{ level: "note", rule: "unpublished", about: listed(spare), text }];
}
