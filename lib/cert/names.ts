/**
 * The names inside a certificate: distinguished names and subject alternative names.
 *
 * The person who orders a certificate chooses these bytes, and they are printed in logs, on
 * terminals and in reports. So values are kept one by one and escaped when they are decoded: no
 * value can look like two (as in CVE-2021-44532), and none can send control sequences to a
 * terminal.
 */

import { ipv6Groups, parseIPv4, parseIPv6 } from "../address.ts";
import { printable } from "../log.ts";
import {
  childrenOf,
  type Element,
  expectTag,
  readBitString,
  readOid,
  readSequence,
  TAG,
} from "./der.ts";

/** A distinguished name: its attributes in order, as one line of text, and as DER to compare. */
export interface DistinguishedName {
  attributes: { type: string; value: string }[];
  /** `CN=service.example, O=Example` with separators inside values escaped. */
  text: string;
  der: Uint8Array;
}

/** One subject alternative name; `other` covers the kinds that no server certificate needs. */
export interface AlternativeName {
  kind: "DNS" | "IP" | "email" | "URI" | "other";
  value: string;
}

const UTF_8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const UTF_16 = new TextDecoder("utf-16be", { ignoreBOM: true, fatal: true });

const ATTRIBUTE_TYPES = new Map([
  ["2.5.4.3", "CN"],
  ["2.5.4.5", "serialNumber"],
  ["2.5.4.6", "C"],
  ["2.5.4.7", "L"],
  ["2.5.4.8", "ST"],
  ["2.5.4.10", "O"],
  ["2.5.4.11", "OU"],
  ["0.9.2342.19200300.100.1.25", "DC"],
]);

/** Reads a Name of RFC 5280 section 4.1.2.4. @throws {SyntaxError} */
export function readDistinguishedName(name: Element | undefined, what: string): DistinguishedName {
  const attributes: DistinguishedName["attributes"] = [];
  for (const relative of readSequence(name, what)) {
    for (const pair of childrenOf(expectTag(relative, TAG.set, `part of the ${what}`))) {
      const [oid, value, ...rest] = readSequence(pair, `part of the ${what}`);
      if (!value || rest.length > 0) throw new SyntaxError(`part of the ${what} is no pair`);
      const type = readOid(oid, `attribute type of the ${what}`);
      attributes.push({ type: ATTRIBUTE_TYPES.get(type) ?? type, value: decodeText(value) });
    }
  }
  const text = attributes.map(({ type, value }) => `${type}=${escapeSeparators(value)}`).join(", ");
  return { attributes, text, der: name!.raw };
}

/** Reads the GeneralNames of RFC 5280 section 4.2.1.6. @throws {SyntaxError} */
export function readAlternativeNames(names: Element): AlternativeName[] {
  return readSequence(names, "subject alternative name").map(({ tag, content }) => {
    switch (tag) {
      case 0x81:
        return { kind: "email", value: escapeName(content) };
      case 0x82:
        return { kind: "DNS", value: escapeName(content) };
      case 0x86:
        return { kind: "URI", value: escapeName(content) };
      case 0x87:
        return { kind: "IP", value: formatIp(content) };
      default:
        if (tag < 0x80 || tag > 0xa8) {
          throw new SyntaxError("subject alternative name of an unknown kind");
        }
        return { kind: "other", value: `[${tag & 0x1f}]` };
    }
  });
}

/** The bytes of an address in a certificate, or undefined for text that is none (or has a zone). */
export function parseIp(text: string): Uint8Array | undefined {
  if (parseIPv4(text)) return Uint8Array.from(text.split("."), Number);
  const groups = ipv6Groups(text);
  return groups && Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
}

function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) throw new SyntaxError(`IP address of ${bytes.length} bytes`);
  const groups = Array.from({ length: 8 }, (_, i) => bytes[2 * i]! * 256 + bytes[2 * i + 1]!);
  return parseIPv6(groups.map((group) => group.toString(16)).join(":"))!;
}

/** Visible ASCII stays; everything else, the backslash too, becomes `\xNN`. */
function escapeName(bytes: Uint8Array): string {
  const isPlain = (byte: number) => byte > 0x20 && byte < 0x7f && byte !== 0x5c;
  if (bytes.every(isPlain)) return UTF_8.decode(bytes);
  return Array.from(
    bytes,
    (byte) =>
      isPlain(byte) ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`,
  ).join("");
}

function escapeSeparators(value: string): string {
  return value.replace(/[,+"<>;=]/g, "\\$&");
}

/**
 * An attribute value; kinds that hold no text are shown as RFC 4514 does, `#` and hex.
 * @throws {SyntaxError} for what OpenSSL, and with it HAProxy, refuses a whole certificate for,
 * and for UniversalString, which is not used in practice
 */
function decodeText(value: Element): string {
  const { tag, content, raw } = value;
  switch (tag) {
    case TAG.utf8String:
      return printable(decode(UTF_8, content));
    case TAG.printableString:
    case TAG.numericString:
    case TAG.ia5String:
    case TAG.teletexString:
      return printable(Array.from(content, (byte) => String.fromCharCode(byte)).join(""));
    case TAG.bmpString:
      return printable(decode(UTF_16, content));
    case TAG.bitString:
      readBitString(value, "attribute value");
      return `#${raw.toHex()}`;
    default:
      throw new SyntaxError(`an attribute value has tag ${tag.toString(16)}, which is no text`);
  }
}

function decode(decoder: TextDecoder, content: Uint8Array): string {
  try {
    return decoder.decode(content);
  } catch {
    throw new SyntaxError("an attribute value is not in the encoding that it claims");
  }
}
