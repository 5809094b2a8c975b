/**
 * The handshake keys of TLS 1.3 (RFC 8446 section 7): there the certificate comes encrypted, and the
 * server counts a handshake as failed unless the client finishes it.
 */

import { type Bytes, joinBytes, number, numbers16, TlsSyntaxError, vector } from "./tls_bytes.ts";
import { type Hello, SECP256R1, X25519 } from "./tls_hello.ts";

interface Suite {
  hash: "SHA-256" | "SHA-384";
  hashBytes: number;
  keyBytes: number;
}

const SUITES = new Map<number, Suite>([
  [0x1301, { hash: "SHA-256", hashBytes: 32, keyBytes: 16 }],
  [0x1302, { hash: "SHA-384", hashBytes: 48, keyBytes: 32 }],
]);

export interface ServerShare {
  cipher: number;
  group: number;
  key: Bytes;
}

export interface HandshakeSecrets {
  hash: Suite["hash"];
  /** The content of the server's next record, padding included. @throws {TlsSyntaxError} */
  decrypt(header: Bytes, body: Bytes): Promise<Bytes>;
  /** A record of handshake messages from the client. */
  encrypt(messages: Bytes): Promise<Bytes>;
  /** The content of a Finished message over a transcript. */
  finished(sender: "client" | "server", transcript: Bytes): Promise<Bytes>;
}

/** @throws {TlsSyntaxError} for a cipher or a group that was not offered */
export async function deriveHandshakeSecrets(
  { shares }: Hello,
  { server, transcript }: { server: ServerShare; transcript: Bytes },
): Promise<HandshakeSecrets> {
  const suite = SUITES.get(server.cipher);
  const pair = shares.get(server.group);
  if (!suite || !pair) throw new TlsSyntaxError("it chose what was not offered");
  const { hash, hashBytes, keyBytes } = suite;
  const hmac = (key: Bytes, data: Bytes) => sign(hash, key, data);
  const expand = async (secret: Bytes, label: string, context: Bytes, length: number) => {
    const name = new TextEncoder().encode(`tls13 ${label}`);
    const info = joinBytes(numbers16(length), vector(1, name), vector(1, context), number(1, 1));
    // One block of HKDF-Expand is enough for every length here.
    return (await hmac(secret, info)).slice(0, length);
  };
  const none = new Uint8Array();
  const shared = await agree(pair, server);
  const early = await hmac(new Uint8Array(hashBytes), new Uint8Array(hashBytes));
  const derived = await expand(early, "derived", await digest(hash, none), hashBytes);
  const handshake = await hmac(derived, shared);
  const context = await digest(hash, transcript);
  async function direction(label: string) {
    const secret = await expand(handshake, label, context, hashBytes);
    const raw = await expand(secret, "key", none, keyBytes);
    const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, [
      "encrypt",
      "decrypt",
    ]);
    return { secret, key, iv: await expand(secret, "iv", none, 12), count: 0 };
  }
  const [client, theirs] = await Promise.all([
    direction("c hs traffic"),
    direction("s hs traffic"),
  ]);
  const algorithm = (from: { iv: Bytes; count: number }, header: Bytes) => {
    const iv = from.iv.slice();
    new DataView(iv.buffer).setUint32(8, new DataView(iv.buffer).getUint32(8) ^ from.count++);
    return { name: "AES-GCM", iv, additionalData: header };
  };
  return {
    hash,
    async decrypt(header, body) {
      try {
        const plain = await crypto.subtle.decrypt(
          algorithm(theirs, header),
          theirs.key,
          body,
        );
        return new Uint8Array(plain);
      } catch {
        throw new TlsSyntaxError("a record cannot be decrypted");
      }
    },
    async encrypt(messages) {
      const plain = joinBytes(messages, number(1, 22));
      const header = joinBytes(number(1, 23), numbers16(0x0303, plain.length + 16));
      const body = await crypto.subtle.encrypt(
        algorithm(client, header),
        client.key,
        plain,
      );
      return joinBytes(header, new Uint8Array(body));
    },
    async finished(sender, transcript) {
      const { secret } = sender === "client" ? client : theirs;
      const key = await expand(secret, "finished", none, hashBytes);
      return await hmac(key, await digest(hash, transcript));
    },
  };
}

export async function digest(hash: string, data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest(hash, data));
}

async function agree(
  { privateKey }: CryptoKeyPair,
  { group, key }: ServerShare,
): Promise<Bytes> {
  const algorithm = group === X25519
    ? { name: "X25519" }
    : { name: "ECDH", namedCurve: group === SECP256R1 ? "P-256" : "" };
  try {
    const theirs = await crypto.subtle.importKey("raw", key, algorithm, false, []);
    const bits = await crypto.subtle.deriveBits(
      { name: algorithm.name, public: theirs },
      privateKey,
      256,
    );
    return new Uint8Array(bits);
  } catch {
    throw new TlsSyntaxError("its key share is no point");
  }
}

async function sign(hash: string, key: Bytes, data: Bytes): Promise<Bytes> {
  const imported = await crypto.subtle.importKey(
    "raw",
    key,
    { name: "HMAC", hash },
    false,
    ["sign"],
  );
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, data));
}
