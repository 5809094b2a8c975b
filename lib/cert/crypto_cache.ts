/**
 * The expensive questions about certificates, with their answers kept: what is the public half of a
 * private key, did one certificate sign another, and what is its fingerprint. A run asks the first
 * two of each once.
 *
 * The same key, leaf and intermediates lie in several files of a client and in HAProxy's as well.
 */

import { type Certificate, fingerprint } from "./certificate.ts";
import { type Issued, issuedBy } from "./issued_by.ts";
import type { PemBlock } from "./pem.ts";
import { readPublicHalf } from "./private_key.ts";

export interface CryptoCache {
  readPublicHalf: typeof readPublicHalf;
  issuedBy: typeof issuedBy;
  fingerprint: typeof fingerprint;
}

/** Asked anew each time. */
export const UNCACHED_CRYPTO: CryptoCache = { readPublicHalf, issuedBy, fingerprint };

/** The answers, and private keys with them, live as long as the result of this function. */
export function createCryptoCache(questions: CryptoCache = UNCACHED_CRYPTO): CryptoCache {
  const halves = new Map<string, Promise<Uint8Array | undefined>>();
  const issued = new Map<string, Promise<Issued>>();
  return {
    fingerprint: questions.fingerprint,
    readPublicHalf(block: PemBlock) {
      const key = `${block.label} ${block.der.toBase64()}`;
      return kept(halves, key, () => questions.readPublicHalf(block));
    },
    async issuedBy(certificate: Certificate, issuer: Certificate) {
      const [one, other] = [certificate, issuer].map((each) => questions.fingerprint(each));
      const key = `${await one} ${await other}`;
      return await kept(issued, key, () => questions.issuedBy(certificate, issuer));
    },
  };
}

function kept<T>(answers: Map<string, T>, key: string, ask: () => T): T {
  const known = answers.get(key);
  if (known !== undefined) return known;
  const answer = ask();
  answers.set(key, answer);
  return answer;
}
