import type { Content } from "../../lib/haproxy/swap_state.ts";

/** SHA-1 over the first certificate of a PEM text, as HAProxy shows it; undefined without one. */
export async function leafFingerprint(pem: string): Promise<string | undefined> {
  const block = /^-----BEGIN CERTIFICATE-----\n([^-]+)\n-----END CERTIFICATE-----$/m.exec(pem);
  if (!block) return undefined;
  const der = Uint8Array.fromBase64(block[1]!);
  return new Uint8Array(await crypto.subtle.digest("SHA-1", der)).toHex().toUpperCase();
}

/** A PEM text as lib/cert hands it over. */
export async function contentOf(pem: string, serial?: string): Promise<Content> {
  return { pem, fingerprint: await leafFingerprint(pem) ?? "", serial };
}
