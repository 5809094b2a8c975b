/** Time and certificates: valid at an instant or not, and which of two was issued later. */

/** What a certificate, or HAProxy's account of one, says of its validity. */
export interface Dates {
  notBefore: Date;
  notAfter: Date;
}

/** The dates, and the CA that wrote them. */
export interface Issuance extends Dates {
  /** From {@link authorityOf}. */
  authority: string;
}

/**
 * Whether it has expired. At the second of `notAfter` it has, as in OpenSSL and so in most clients,
 * although RFC 5280 section 4.1.2.5 includes that second.
 */
export function isExpired({ notAfter }: Pick<Dates, "notAfter">, now: Date): boolean {
  return now >= notAfter;
}

/** Whether it is not valid yet. */
export function isYetToCome({ notBefore }: Pick<Dates, "notBefore">, now: Date): boolean {
  return now < notBefore;
}

/**
 * Whether `candidate` was issued before `standing`, which it would replace.
 *
 * - `older`: it begins earlier. With lifetimes from 6 to 90 days the end says nothing
 * - `backdated`: it begins earlier, yet comes from another CA and ends later. CAs backdate by an
 *   hour up to some days, each by its own rule, so starts can only be compared within one CA
 * - `no`: it begins at the same time or later
 */
export function isOlder(candidate: Issuance, standing: Issuance): "older" | "backdated" | "no" {
  if (candidate.notBefore >= standing.notBefore) return "no";
  const otherCa = candidate.authority !== standing.authority;
  return otherCa && candidate.notAfter > standing.notAfter ? "backdated" : "older";
}

/**
 * One CA behind its several intermediates, among which it chooses at each issuance: the
 * organisation, else the whole name.
 */
export function authorityOf(issuer: { attributes: { type: string; value: string }[] }): string {
  const organisation = issuer.attributes.find(({ type }) => type === "O");
  if (organisation) return `O=${organisation.value}`;
  return issuer.attributes.map(({ type, value }) => `${type}=${value}`).join("/");
}
