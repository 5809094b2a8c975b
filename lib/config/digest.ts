/**
 * A short digest of the part of a configuration that has to be the same on every balancer, so that
 * self-test can say which balancer still runs another one.
 *
 * Covered is what decides how a challenge travels and where a redirect leads. Left out is what may
 * well differ between machines (webroots, listeners, limits, metrics, certificates, sockets of
 * HAProxy) and what only `render` reads (interfaces, router ids, backends and the like).
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

/** The same of all of it: whether a server uses exactly the configuration of a file. */
export async function wholeDigest(config: Config): Promise<string> {
  return await digestOf(describeConfig(config));
}

async function digestOf(value: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return hash.slice(0, 8).toHex();
}
