/**
 * The redirect from HTTP to HTTPS.
 *
 * Location is absolute, built from the validated host and the raw target, so a target that begins
 * with `//` stays a path. Never HSTS: RFC 6797 section 7.2 forbids it over plain HTTP. Never
 * cached: a permanent redirect in a browser's cache outlives the mistake that made it.
 */

import { comparableAddress, urlHost } from "../address.ts";
import { isListedHost, parseHost } from "../host.ts";
import type { Log } from "../log.ts";
import { type Answer, headerLine, methodNotAllowed, refusalAnswer } from "./answer.ts";
import type { RequestHead } from "./request_head.ts";

interface RedirectOptions {
  /** `auto`: 301 for GET and HEAD, 308 (which keeps the method) for the others. */
  status: "auto" | 301 | 302 | 307 | 308;
  /** See {@link isListedHost}. */
  hosts: readonly string[];
  httpsPort: number;
  log: Log;
}

/** CONNECT asks for a tunnel, TRACE for its own fields: neither is meant for the service. */
const REFUSED_METHODS = ["CONNECT", "TRACE"];
const NOT_ALLOWED = methodNotAllowed("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
const BAD_HOST = refusalAnswer(400, "bad_host");
const BAD_TARGET = refusalAnswer(400, "bad_target");
const UNLISTED_HOST = refusalAnswer(421, "unlisted_host");
const NO_STORE = headerLine("Cache-Control", "no-store");

export function createRedirectHandler(
  { status, hosts, httpsPort, log }: RedirectOptions,
): (head: RequestHead, from: string, local: string) => Answer {
  const port = httpsPort === 443 ? "" : `:${httpsPort}`;
  // Most requests name the same host, and its grammar is the most expensive part of a redirect.
  let last: { value: string; host: string | undefined } = { value: "", host: undefined };
  let loopTold = false;

  function hostOf(value: string): string | undefined {
    if (value !== last.value) last = { value, host: parseHost(value) };
    return last.host;
  }

  function tellLoop(authority: string, from: string): void {
    const asked = Number(/:(\d+)$/.exec(authority.replace(/^\[[^\]]*\]/, ""))?.[1] ?? 443);
    if (loopTold || (asked === 80 ? 443 : asked) !== httpsPort) return;
    loopTold = true;
    log.warn("redirect_loop", {
      host: authority,
      from,
      reason: "a proxy in front says that the client came by https, and is told to come by https " +
        "again: send only requests by http to port 80, and the others to the service itself",
    });
  }

  return (head, from, local) => {
    if (REFUSED_METHODS.includes(head.method)) return NOT_ALLOWED;
    const target = readTarget(head);
    if (!target) return BAD_TARGET;
    // HTTP/1.0 has no Host: health checks of balancers send such requests, and follow no redirect.
    const probe = head.minor === 0 && !head.host && target.authority === undefined;
    const authority = probe ? authorityOf(local) : target.authority ?? head.host ?? "";
    const host = hostOf(authority);
    // RFC 9112 section 3.2: a malformed Host is refused also where the target has an authority.
    if (host === undefined || (target.authority !== undefined && !isHost(head.host))) {
      return BAD_HOST;
    }
    if (!probe && !isListedHost(host, hosts)) return UNLISTED_HOST;
    if (head.cameByHttps) tellLoop(authority, from);
    const safe = head.method === "GET" || head.method === "HEAD";
    return {
      status: status === "auto" ? (safe ? 301 : 308) : status,
      headers: headerLine("Location", `https://${host}${port}${target.path}`) + NO_STORE,
      body: "",
      close: false,
    };
  };
}

function isHost(value: string | undefined): boolean {
  return !value || parseHost(value) !== undefined;
}

/** The spelling of an address in a URL, which has no zones. */
function authorityOf(local: string): string {
  return urlHost(comparableAddress(local));
}

/** RFC 9112 section 3.2.2. The authority ends where that of a URL does. */
const ABSOLUTE_FORM = /^http:\/\/([^/?#]*)([/?].*)?$/i;

/**
 * Path and query in the characters that RFC 3986 allows them, and the authority where the target
 * has one; undefined for what is no target of a redirect. Other schemes than http are none: this
 * port does not speak for them.
 */
function readTarget(
  { method, target }: RequestHead,
): { authority?: string; path: string } | undefined {
  if (target.startsWith("/")) return { path: encodeTarget(target) };
  // RFC 9112 section 3.2.4: the server as a whole, as in HAProxy's `option httpchk OPTIONS *`.
  if (target === "*" && method === "OPTIONS") return { path: "/" };
  const match = ABSOLUTE_FORM.exec(target);
  if (!match) return undefined;
  const [, authority, rest = "/"] = match;
  return { authority, path: encodeTarget(rest.startsWith("/") ? rest : `/${rest}`) };
}

/**
 * RFC 3986: `pchar`, `/` and `?`. A number sign would begin a fragment, which never leaves a
 * client; a percent sign alone is what browsers leave of a text such as `100%`.
 */
const ALLOWED = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/;
const NOT_ALLOWED_CHARACTER = /%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]/g;

/** @param target bytes, one a character */
function encodeTarget(target: string): string {
  if (ALLOWED.test(target)) return target;
  return target.replace(
    NOT_ALLOWED_CHARACTER,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
