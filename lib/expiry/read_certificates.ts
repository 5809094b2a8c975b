/**
 * What a file holds, PEM or DER: certificates in their order, and private keys.
 *
 * For looking, not for writing: other blocks are passed over, since HAProxy passes over them too.
 */

import { messageOf } from "../errors.ts";
import { type Certificate, readCertificate } from "../cert/certificate.ts";
import { isCertificate, parsePem, type PemBlock } from "../cert/pem.ts";
import { isPrivateKey } from "../cert/private_key.ts";

export interface Contents {
  /** The first is the leaf: HAProxy takes what follows for its chain. */
  certificates: Certificate[];
  keys: PemBlock[];
  /** What is wrong behind the leaf, a sentence each. */
  damage: string[];
  /** What else the file holds, as PEM calls it. */
  others: string[];
}

/** @throws {SyntaxError} when the file or its first certificate cannot be read */
export function readContents(bytes: Uint8Array): Contents {
  if (bytes[0] === 0x30 && bytes[1]! >= 0x80) return readDerFile(bytes);
  const contents: Contents = { certificates: [], keys: [], damage: [], others: [] };
  for (const block of parsePem(bytes)) {
    if (isPrivateKey(block)) contents.keys.push(block);
    else if (isCertificate(block)) addCertificate(contents, block);
    // `openssl ecparam -genkey` puts them before each key; the key says the same.
    else if (block.label !== "EC PARAMETERS") contents.others.push(block.label);
  }
  return contents;
}

function addCertificate({ certificates, damage }: Contents, { der, line }: PemBlock): void {
  try {
    certificates.push(readCertificate(der));
  } catch (error) {
    const text = `line ${line}: the certificate is damaged: ${messageOf(error)}`;
    // The next one must not be taken for the leaf.
    if (certificates.length === 0) throw new SyntaxError(text);
    damage.push(text);
  }
}

function readDerFile(bytes: Uint8Array): Contents {
  try {
    return { certificates: [readCertificate(bytes)], keys: [], damage: [], others: [] };
  } catch (error) {
    throw new SyntaxError(`is DER, but no certificate: ${messageOf(error)}`);
  }
}
