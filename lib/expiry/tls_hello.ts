/**
 * The ClientHello of a probe (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2): for one kind of key,
 * since a server with a certificate of each kind chooses by what the client can verify.
 *
 * Versions and ciphers go back further than any client's should: what is asked is which certificate
 * is there, and nothing is ever sent under these ciphers.
 */

import { type Bytes, joinBytes, number, numbers16, vector } from "./tls_bytes.ts";

/** Kinds of key that a server may have side by side; Ed25519 and Ed448 go with the curves. */
export const KEY_KINDS = ["EC", "RSA"] as const;
export type AskedKind = typeof KEY_KINDS[number];

export interface Hello {
  /** The handshake message. */
  message: Bytes;
  random: Bytes;
  /** The halves of the key shares that stay here, by group. */
  shares: Map<number, CryptoKeyPair>;
}

/** The groups for which shares are sent: the two that every server of TLS 1.3 has one of. */
export const X25519 = 0x001d;
export const SECP256R1 = 0x0017;

/** More that a certificate of TLS 1.2 may need: P-384, P-521, secp256k1, brainpool. */
const OTHER_GROUPS = [0x0018, 0x0019, 0x0016, 0x001a, 0x001b, 0x001c];

const SIGNATURES: Record<AskedKind, number[]> = {
  EC: [0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x081a, 0x081b, 0x081c, 0x0203],
  RSA: [0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501, 0x0601, 0x0201],
};

/** TLS 1.3's with AES, which WebCrypto has. */
const CIPHERS_OF_13 = [0x1301, 0x1302];

const OLDER_CIPHERS: Record<AskedKind, number[]> = {
  // ECDHE-ECDSA with GCM, ChaCha20, CBC.
  EC: [0xc02b, 0xc02c, 0xcca9, 0xc023, 0xc024, 0xc009, 0xc00a],
  // ECDHE-RSA, DHE-RSA and RSA key exchange with the same.
  RSA: [
    ...[0xc02f, 0xc030, 0xcca8, 0xc027, 0xc028, 0xc013, 0xc014],
    ...[0x009e, 0x009f, 0xccaa, 0x0067, 0x006b, 0x0033, 0x0039],
    ...[0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035, 0x000a],
  ],
};

/** TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746). */
const RENEGOTIATION = 0x00ff;

const VERSIONS = [0x0304, 0x0303, 0x0302, 0x0301];

/** A ClientHello for one kind of key, and for a name unless it is undefined. */
export async function makeHello(
  { kind, servername }: { kind: AskedKind; servername: string | undefined },
): Promise<Hello> {
  const random = crypto.getRandomValues(new Uint8Array(32));
  const shares = await keyShares();
  const entries = await Promise.all(
    [...shares].map(async ([group, { publicKey }]) => {
      const key = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
      return joinBytes(numbers16(group), vector(2, key));
    }),
  );
  const extensions = [
    ...servername === undefined
      ? []
      : [extension(0, vector(2, number(1, 0), nameBytes(servername)))],
    extension(23),
    extension(10, vector(2, numbers16(...shares.keys(), ...OTHER_GROUPS))),
    extension(11, vector(1, number(1, 0))),
    extension(13, vector(2, numbers16(...SIGNATURES[kind]))),
    // Those inside the chain are not what the question is about.
    extension(50, vector(2, numbers16(...SIGNATURES.EC, ...SIGNATURES.RSA))),
    extension(43, vector(1, numbers16(...VERSIONS))),
    extension(45, vector(1, number(1, 1))),
    extension(51, vector(2, ...entries)),
  ];
  const body = joinBytes(
    numbers16(0x0303),
    random,
    vector(1, crypto.getRandomValues(new Uint8Array(32))),
    vector(2, numbers16(...CIPHERS_OF_13, ...OLDER_CIPHERS[kind], RENEGOTIATION)),
    vector(1, number(1, 0)),
    vector(2, ...extensions),
  );
  return { message: joinBytes(number(1, 1), vector(3, body)), random, shares };
}

function nameBytes(servername: string): Bytes {
  return vector(2, new TextEncoder().encode(servername));
}

function extension(type: number, content = new Uint8Array()): Bytes {
  return joinBytes(numbers16(type), vector(2, content));
}

/** Made once: nothing is ever kept secret under them. */
let made: Promise<Map<number, CryptoKeyPair>> | undefined;

function keyShares(): Promise<Map<number, CryptoKeyPair>> {
  made ??= (async () => {
    const [x25519, p256] = await Promise.all([
      crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]),
      crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]),
    ]);
    return new Map([[X25519, x25519 as CryptoKeyPair], [SECP256R1, p256 as CryptoKeyPair]]);
  })();
  return made;
}
