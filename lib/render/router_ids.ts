/**
 * The router ids of the addresses in a keepalived.conf, rendered or written by hand.
 *
 * Two balancers with different ids for an address both hold it, because each ignores the other's
 * packets. So an id has to change on all balancers at once, and is reported before it is written.
 */

import { comparableAddress, parseIPv4, parseIPv6 } from "../address.ts";

/** The id of each address of each vrrp_instance; everything else is skipped. */
export function routerIdsOf(text: string): Map<string, number> {
  const ids = new Map<string, number>();
  // The blocks that are open, outermost first; and what the instance among them has so far.
  const blocks: string[] = [];
  let instance: { id?: number; addresses: string[] } = { addresses: [] };
  for (const [first = "", second, ...rest] of text.split("\n").flatMap(statements)) {
    if ([first, second, ...rest].includes("{")) {
      if (blocks.length === 0) instance = { addresses: [] };
      blocks.push(first);
    } else if (first === "}") {
      blocks.pop();
      if (blocks.length > 0 || instance.id === undefined) continue;
      for (const address of instance.addresses) ids.set(address, instance.id);
      instance = { addresses: [] };
    } else if (blocks[0] === "vrrp_instance") {
      if (first === "virtual_router_id") instance.id = Number(second);
      else if (blocks.at(-1)!.startsWith("virtual_ipaddress")) {
        const [word = ""] = first.split("/");
        const address = parseIPv4(word) ?? parseIPv6(word);
        if (address !== undefined) instance.addresses.push(comparableAddress(address));
      }
    }
  }
  return ids;
}

/** The words of each statement in a line; braces end one. Comments begin with # or !. */
function statements(line: string): string[][] {
  const words = line.match(/"(?:\\.|[^"\\])*"|[#!].*|[{}]|[^\s{}"]+/g) ?? [];
  const comment = words.findIndex((word) => /^[#!]/.test(word));
  const found: string[][] = [[]];
  for (const word of comment < 0 ? words : words.slice(0, comment)) {
    if (word === "}") found.push([word], []);
    else {
      found.at(-1)!.push(word);
      if (word === "{") found.push([]);
    }
  }
  return found.filter((statement) => statement.length > 0);
}

/** A line for each address that is in both files, under another id. */
export function changedRouterIds(before: string, after: string): string[] {
  const old = routerIdsOf(before);
  return [...routerIdsOf(after)].flatMap(([address, id]) => {
    const was = old.get(address);
    return was === undefined || was === id
      ? []
      : [`the router id of ${address} would change from ${was} to ${id}`];
  });
}
