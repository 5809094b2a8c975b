/**
 * The Via header (RFC 9110 section 7.6.3), by which a request from another acme-lb is recognised.
 */

import { HOP, SOLVER_HOP } from "./ask.ts";

/** Whether another acme-lb has sent the request, or passed it on. */
export function isPassedOn(via: string): boolean {
  return names(via, HOP);
}

/**
 * Whether it was sent to a solver, and came back: that is a proxy before acme-lb, such as a HAProxy
 * that answers for its own orders and gives acme-lb the rest.
 */
export function isForSolver(via: string): boolean {
  return names(via, SOLVER_HOP);
}

/**
 * Whether one of the elements of the header, `PROTOCOL RECEIVED-BY`, names this pseudonym as the
 * one that received the request. A host with the same name, or a word in a comment, does not count.
 */
function names(via: string, hop: string): boolean {
  if (via === "") return false;
  return withoutComments(via).split(",").some((element) => {
    const [protocol, receivedBy, ...more] = element.trim().split(/[ \t]+/);
    return receivedBy === hop && more.length === 0 &&
      /^(?:[A-Za-z0-9.-]+\/)?[A-Za-z0-9.-]+$/.test(protocol!);
  });
}

/** Comments stand in parentheses, which may be nested; a backslash escapes a character of them. */
function withoutComments(via: string): string {
  let depth = 0;
  let text = "";
  for (let i = 0; i < via.length; i++) {
    const char = via[i]!;
    if (char === "\\" && depth > 0) i++;
    else if (char === "(") depth++;
    else if (char === ")") depth = Math.max(0, depth - 1);
    else if (depth === 0) text += char;
  }
  return text;
}
