/**
 * Limits and rules of Let's Encrypt, each number only here: Boulder's va/http.go and va/va.go, and
 * the renewal times of RFC 9773 as its core/objects.go gives them.
 */

/** The longest body of a challenge: the CA reads 128 bytes and refuses a body that fills them. */
export const CA_BODY_BYTES = 127;

/** How long the CA waits for a connection, and not much longer for an answer. */
export const CA_PATIENCE_MS = 10_000;

/** Lifetimes from this one on count as long. */
const LONG_LIVED_MS = 10 * 86_400_000;

/** The share of its lifetime that a certificate has left when renewal is due. */
export function renewalShare(lifetimeMs: number): number {
  return lifetimeMs < LONG_LIVED_MS ? 1 / 2 : 1 / 3;
}
