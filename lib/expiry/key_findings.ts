/** Whether the private key in a file is that of its certificate. */

import { type Certificate, sameBytes, titleOf } from "../cert/certificate.ts";
import type { ExpiryFinding } from "./record.ts";
import type { KeyKind } from "../cert/key_kind.ts";
import type { PemBlock } from "../cert/pem.ts";
import { hasExplicitCurve, isEncrypted } from "../cert/private_key.ts";
import type { CryptoCache } from "../cert/crypto_cache.ts";

/**
 * About the first key, which HAProxy uses. A file without a key is no fault: clients keep keys and
 * certificates in separate files.
 */
export async function keyFindings(
  keys: PemBlock[],
  { certificates: [leaf, ...others], crypto }: {
    certificates: Certificate[];
    crypto: Pick<CryptoCache, "readPublicHalf">;
  },
): Promise<ExpiryFinding[]> {
  const [key] = keys;
  if (!key || !leaf) return [];
  if (isEncrypted(key)) {
    return [
      unsupported("the private key is encrypted, so it was not compared with the certificate"),
    ];
  }
  const spki = await crypto.readPublicHalf(key);
  if (!spki) {
    if (!isReadable(leaf.key)) {
      return [
        unsupported(`keys like that of the certificate (${leaf.key.name}) cannot be compared`),
      ];
    }
    if (leaf.key.family === "EC" && hasExplicitCurve(key)) {
      return [
        unsupported(
          "the private key spells its curve out, so it was not compared with the certificate: " +
            "convert it with openssl ec -param_enc named_curve",
        ),
      ];
    }
    return [mismatch(`is damaged, or of another kind than the certificate's ${leaf.key.name}`)];
  }
  if (sameBytes(spki, leaf.spki)) return [];
  const owner = others.find((other) => sameBytes(spki, other.spki));
  return [
    owner
      ? mismatch(`belongs to ${titleOf(owner)}, which must come first`)
      : mismatch("does not belong to the certificate: HAProxy will not start with this file"),
  ];
}

/** The kinds of which the runtime reads every good key. */
function isReadable({ family, name }: KeyKind): boolean {
  return family === "RSA" || family === "Ed25519" || (family === "EC" && name.startsWith("P-"));
}

function mismatch(text: string): ExpiryFinding {
  return { state: "CRITICAL", reason: "key_mismatch", text: `the private key ${text}` };
}

function unsupported(text: string): ExpiryFinding {
  return { state: "UNKNOWN", reason: "unsupported", text };
}
