/**
 * A short digest of the part of a configuration that has to be the same on every balancer, so that
 * self-test can say which balancer still runs another one.
 *
 * It covers the keys that decide how a challenge is found and where a redirect leads. It leaves out
 * keys that may differ between machines (webroots, listeners, limits, metrics, certificates,
 * sockets of HAProxy) and keys that only `render` reads (interfaces, router ids, backends and so
 * on).
 */

import { describeConfig } from "./describe.ts";
import type { Config } from "./schema.ts";

/** What {@link configDigest} compares, in the words of the configuration file. */
export const COMPARED = "peers, lookup, redirect, challenge.allow and cluster";

/**
 * The first 16 hexadecimal digits of a SHA-256. Comments, spelling and defaults written out make
 * no difference; the order of a list does, because the file is meant to be one file.
 */
export async function configDigest(config: Config): Promise<string> {
  const { peers, lookup, redirect } = describeConfig(config);
  const { nodes, virtual_addresses, names } = config.cluster;
  const shared = {
    peers,
    lookup,
    redirect,
    allow: config.challenge.allow,
    nodes: Object.entries(nodes),
    virtual_addresses: virtual_addresses.map(({ address }) => address),
    names,
  };
  return await digestOf(shared);
}

/** The same over all keys: whether a server uses exactly the configuration of a file. */
export async function wholeDigest(config: Config): Promise<string> {
  return await digestOf(describeConfig(config));
}

async function digestOf(value: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return hash.slice(0, 8).toHex();
}
