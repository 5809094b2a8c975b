/**
 * The order of a chain: the leaf, then for each certificate the one that signed it.
 *
 * Clients with old or small libraries need exactly this order, HAProxy sends the certificates in
 * the order of the file, and ACME clients write them in different orders. Roots are dropped (the
 * client has them or will not trust them) and so are repetitions; nothing is guessed.
 */

import { type Certificate, sameBytes, titleOf } from "./certificate.ts";
import { issuedBy } from "./issued_by.ts";

export interface Chain {
  /** Above the leaf, in order, without the root. */
  intermediates: Certificate[];
  /** A root that signed the last certificate was among the candidates and has been dropped. */
  rooted: boolean;
  /** Empty when the chain is good. */
  refusals: string[];
}

/** Orders `candidates` above `leaf`. Never throws for what certificates hold. */
export async function orderChain(leaf: Certificate, candidates: Certificate[]): Promise<Chain> {
  const chain: Chain = { intermediates: [], rooted: false, refusals: [] };
  let rest = unique([leaf, ...candidates]).slice(1);
  let last = leaf;
  while (!last.selfIssued) {
    const signers: Certificate[] = [];
    for (const candidate of rest) {
      const issued = await issuedBy(last, candidate);
      if (issued.answer === "yes") signers.push(candidate);
      if (issued.answer === "unknown") {
        chain.refusals.push(
          `cannot check whether ${titleOf(candidate)} signed ${titleOf(last)}: ${issued.reason}`,
        );
        return chain;
      }
    }
    // The same CA key may be certified twice, by itself and by an older root: the root is dropped.
    const intermediates = signers.filter(({ selfIssued }) => !selfIssued);
    if (intermediates.length > 1) {
      const titles = intermediates.map(titleOf).join(" and ");
      chain.refusals.push(`the chain is ambiguous: ${titles} both signed ${titleOf(last)}`);
      return chain;
    }
    const [next] = intermediates;
    chain.rooted = signers.some(({ selfIssued }) => selfIssued);
    rest = rest.filter((candidate) => !signers.includes(candidate));
    if (!next) break;
    chain.intermediates.push(next);
    last = next;
  }
  for (const stranger of rest) {
    chain.refusals.push(`${titleOf(stranger)} does not belong to the chain: it signed none of it`);
  }
  return chain;
}

/** Certificates or keys without byte-for-byte repetitions, the first of each kept in its place. */
export function unique<T extends { der: Uint8Array }>(all: T[]): T[] {
  return all.filter((one, i) => all.findIndex(({ der }) => sameBytes(der, one.der)) === i);
}
