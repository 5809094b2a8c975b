/**
 * Fetches every challenge that an ACME client plants, through each virtual address, while the CA
 * does the same, and keeps what came back: pebble accepts more than Boulder does, and must not be
 * the judge of that.
 */

import { delay } from "./daemon.ts";
import { fetchOn } from "./fetch_on.ts";
import type { Host, Network } from "./network.ts";

/** One answer to one planted challenge. */
export interface Observation {
  address: string;
  token: string;
  /** HTTP status, or 0 when there was no answer. */
  status: number;
  body: string;
  /** The key authorization in the holder's webroot. */
  planted: string;
}

export interface WatchOptions {
  /** The holder's webroot, as seen from outside. */
  webroot: string;
  /** Host that fetches. */
  from: Host;
  addresses: string[];
}

const KEY_AUTHORIZATION = /^([\w-]{43})\.[\w-]{43}\s*$/;

export interface Watched {
  /** Tokens of all challenges that stood in the webroot. */
  planted: Set<string>;
  /** Of a client that takes its files away at once, there may be none on a loaded machine. */
  observations: Observation[];
}

/** Watches the webroot until stopped. */
export function watchChallenges(
  network: Network,
  { webroot, from, addresses }: WatchOptions,
): { stop(): Promise<Watched> } {
  const folders = [webroot, `${webroot}/.well-known/acme-challenge`];
  const seen = new Set<string>();
  const tokens = new Set<string>();
  const fetches: Promise<Observation | undefined>[] = [];
  let stopped = false;

  async function observe(
    path: string,
    { address, token, planted }: Pick<Observation, "address" | "token" | "planted">,
  ): Promise<Observation | undefined> {
    const url = `http://[${address}]/.well-known/acme-challenge/${token}`;
    const { status, body } = await fetchOn(from, { network, url, name: "service.example" });
    // A client that was faster took the file away; then a 404 is right.
    if (status !== 200 && !await exists(path)) return undefined;
    return { address, token, status, body, planted };
  }

  const loop = (async () => {
    while (!stopped) {
      for (const path of await filesIn(folders)) {
        if (seen.has(path)) continue;
        const planted = await Deno.readTextFile(path).catch(() => "");
        const token = KEY_AUTHORIZATION.exec(planted)?.[1];
        if (token === undefined) continue;
        seen.add(path);
        tokens.add(token);
        fetches.push(...addresses.map((address) => observe(path, { address, token, planted })));
      }
      await delay(5);
    }
  })();

  return {
    async stop() {
      stopped = true;
      await loop;
      const all = await Promise.all(fetches);
      return {
        planted: tokens,
        observations: all.filter((observation) => observation !== undefined),
      };
    },
  };
}

/**
 * What Boulder would hold against an answer (va/http.go: exactly 200, at most 127 bytes, only
 * trailing white space is forgiven), or undefined.
 */
export function boulderObjection({ status, body, planted }: Observation): string | undefined {
  if (status !== 200) return `status ${status}`;
  const bytes = new TextEncoder().encode(body).length;
  if (bytes > 127) return `${bytes} bytes`;
  if (body.trimEnd() !== planted.trimEnd()) return `other body: ${JSON.stringify(body)}`;
  return undefined;
}

async function filesIn(folders: string[]): Promise<string[]> {
  const paths = [];
  for (const folder of folders) {
    try {
      for await (const { name, isFile } of Deno.readDir(folder)) {
        if (isFile) paths.push(`${folder}/${name}`);
      }
    } catch {
      // Clients come and go with the nested folder.
    }
  }
  return paths;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
