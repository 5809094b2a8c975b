/**
 * The path of an HTTP-01 challenge (RFC 8555 section 8.3).
 *
 * One match on the raw request target; nothing is decoded or normalised, so that no spelling of
 * `..`, `%2f`, `\` or NUL can reach a file name. A target with a query does not match: the CA sends
 * none.
 */

export const CHALLENGE_PREFIX = "/.well-known/acme-challenge/";

/**
 * Tokens are base64url. The CA's have 43 characters; shorter ones are allowed for the tests of
 * operators (a file named `lb0`), and 128 is far above any CA's.
 */
const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

/** Whether the target lies below the challenge prefix, well formed or not. */
export function isChallengeTarget(target: string): boolean {
  return target.startsWith(CHALLENGE_PREFIX);
}

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** The token that the target asks for, or undefined when it asks for nothing that can exist. */
export function challengeToken(target: string): string | undefined {
  if (!isChallengeTarget(target)) return undefined;
  const token = target.slice(CHALLENGE_PREFIX.length);
  return isToken(token) ? token : undefined;
}
