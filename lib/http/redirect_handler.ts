/**
 * The redirect from HTTP to HTTPS.
 *
 * Location is absolute, built from the validated Host and the raw target, so a target that begins
 * with `//` stays a path. Never HSTS: RFC 6797 section 7.2 forbids it over plain HTTP. Never
 * cached: a permanent redirect in a browser's cache outlives the mistake that made it.
 */

import { type Answer, errorAnswer, headerLine, methodNotAllowed } from "./answer.ts";
import { isListedHost, parseHost } from "../host.ts";
import type { RequestHead } from "./request_head.ts";

export interface RedirectOptions {
  /** `auto`: 301 for GET and HEAD, 308 (which keeps the method) for the others. */
  status: "auto" | 301 | 302 | 307 | 308;
  /** See {@link isListedHost}. */
  hosts: readonly string[];
  httpsPort: number;
}

/** Methods that clients use on web pages; TRACE, CONNECT and unknown words are refused. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const NOT_ALLOWED = methodNotAllowed(METHODS.join(", "));
const BAD_REQUEST = errorAnswer(400);
const MISDIRECTED = errorAnswer(421);
const NO_STORE = headerLine("Cache-Control", "no-store");

/**
 * Origin form alone (RFC 9112 section 3.2.1), without what a URL never holds. A backslash is a
 * slash to browsers, a number sign never leaves them, and quotes and angle brackets are the tools
 * of injection further down.
 */
const TARGET = /^\/[^\\#"<>]*$/;

export function createRedirectHandler(
  { status, hosts, httpsPort }: RedirectOptions,
): (head: RequestHead) => Answer {
  const port = httpsPort === 443 ? "" : `:${httpsPort}`;
  // Most requests name the same host; reading it is the dearest part of a redirect.
  let last: { value: string; host: string | undefined } = { value: "", host: undefined };
  return (head) => {
    if (!METHODS.includes(head.method)) return NOT_ALLOWED;
    const value = head.host ?? "";
    if (value !== last.value) last = { value, host: parseHost(value) };
    const { host } = last;
    if (host === undefined || !TARGET.test(head.target)) return BAD_REQUEST;
    if (!isListedHost(host, hosts)) return MISDIRECTED;
    const safe = head.method === "GET" || head.method === "HEAD";
    return {
      status: status === "auto" ? (safe ? 301 : 308) : status,
      headers: headerLine("Location", `https://${host}${port}${head.target}`) + NO_STORE,
      body: "",
      close: head.body,
    };
  };
}
