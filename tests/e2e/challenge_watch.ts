/**
 * Fetches every challenge that an ACME client plants, through each virtual address, while the CA
 * does the same, and keeps what came back: pebble accepts more than Boulder does, and must not be
 * the judge of that.
 */

import { delay } from "./daemon.ts";
import { watchDirectories } from "./inotify.ts";
import type { Visitor } from "./visitor.ts";

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
  visitor: Visitor;
  /** Through which each challenge is fetched. */
  addresses: string[];
}

/** A file's name is its token; 22 characters are the fewest that RFC 8555 section 8.3 allows. */
const TOKEN = /^[\w-]{22,128}$/;
const KEY_AUTHORIZATION = /^[\w-]{22,128}\.[\w-]{43}\s*$/;

export interface Watched {
  /** Tokens of all challenges that stood in the webroot, for however short a time. */
  planted: Set<string>;
  /** Of a client that takes its files away at once, there may be none on a loaded machine. */
  observations: Observation[];
}

export interface ChallengeWatch {
  /** Settled when the first challenge has been planted. */
  first: Promise<void>;
  stop(): Promise<Watched>;
}

/**
 * Watches the webroot until stopped, flat and nested. The nested directory is made first, as on a
 * machine where a client has ordered before: one made later might hold a file before it is watched.
 */
export async function watchChallenges(
  { webroot, visitor, addresses }: WatchOptions,
): Promise<ChallengeWatch> {
  const nested = `${webroot}/.well-known/acme-challenge`;
  await Deno.mkdir(nested, { recursive: true });
  const directories = watchDirectories([webroot, nested]);
  const tokens = new Set<string>();
  const first = Promise.withResolvers<void>();
  const fetches: Promise<Observation[]>[] = [];

  async function observe(
    path: string,
    { address, token, planted }: Pick<Observation, "address" | "token" | "planted">,
  ): Promise<Observation | undefined> {
    const url = `http://[${address}]/.well-known/acme-challenge/${token}`;
    const { status, body } = await visitor.get({ url, name: "service.example", deadline: 10_000 });
    // A client that was faster took the file away; then a 404 is right.
    if (status !== 200 && !await exists(path)) return undefined;
    return { address, token, status, body, planted };
  }

  async function fetchThroughAll(path: string, token: string): Promise<Observation[]> {
    const planted = await readPlanted(path);
    if (planted === undefined) return [];
    const all = addresses.map((address) => observe(path, { address, token, planted }));
    return (await Promise.all(all)).filter((observation) => observation !== undefined);
  }

  function take(): void {
    for (const { directory, name } of directories.take()) {
      if (!TOKEN.test(name) || tokens.has(name)) continue;
      tokens.add(name);
      first.resolve();
      fetches.push(fetchThroughAll(`${directory}/${name}`, name));
    }
  }

  let stopped: Promise<Watched> | undefined;
  const end = new AbortController();
  const loop = (async () => {
    for (; !end.signal.aborted; await delay(5)) take();
    // What was planted up to now, too.
    take();
    directories[Symbol.dispose]();
  })();

  return {
    first: first.promise,
    stop: () =>
      stopped ??= (async () => {
        end.abort();
        await loop;
        return { planted: tokens, observations: (await Promise.all(fetches)).flat() };
      })(),
  };
}

/**
 * The content of a file that its client has just made, once it is whole and everybody may read it;
 * undefined when it goes. dehydrated writes the file first, and lets others read it by a chmod.
 */
async function readPlanted(path: string): Promise<string | undefined> {
  let text: string | undefined;
  for (let attempt = 0; attempt < 1000; attempt++, await delay(5)) {
    text = await Deno.readTextFile(path).catch(() => undefined);
    const mode = await Deno.stat(path).then(({ mode }) => mode!, () => 0);
    if (text === undefined || (KEY_AUTHORIZATION.test(text) && (mode & 0o004) !== 0)) break;
  }
  return text;
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

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
