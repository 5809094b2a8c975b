/**
 * The preamble of the PROXY protocol, versions 1 and 2: who the client of a balancer of layer 4 in
 * front is (HAProxy, doc/proxy-protocol.txt).
 *
 * It is trusted only on connections from a network that the configuration lists, because anybody
 * can send one.
 */

import { parseIPv4, parseIPv6 } from "../address.ts";
import { latin1 } from "./request_fields.ts";

/** "PROXY UNKNOWN" with two IPv6 addresses and ports: the longest line of version 1. */
const MAX_LINE = 107;
/** Version 2 may announce 64 KiB of extensions; those in use (TLS, AWS, Azure) take some hundred. */
const MAX_ANNOUNCED = 4_096;

const SIGNATURE_1 = [..."PROXY "].map((char) => char.charCodeAt(0));
const SIGNATURE_2 = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];
/** Enough of either signature to tell it from any request and any other protocol. */
const TELLING = 5;

export interface Endpoints {
  client: string;
  /** The address that the client connected to. */
  local: string;
}

type Preamble =
  | { kind: "none" }
  | { kind: "incomplete" }
  | { kind: "malformed" }
  /** Without endpoints where the front speaks for itself, as in its health checks. */
  | { kind: "preamble"; length: number; endpoints?: Endpoints };

/** The preamble at the beginning of the bytes. */
export function parsePreamble(bytes: Uint8Array): Preamble {
  if (beginsWith(bytes, SIGNATURE_1)) return parseVersion1(bytes);
  if (beginsWith(bytes, SIGNATURE_2)) return parseVersion2(bytes);
  return { kind: "none" };
}

/** Whether the bytes, which are no request, begin as a preamble does. */
export function looksLikePreamble(bytes: Uint8Array): boolean {
  return bytes.length >= TELLING &&
    (beginsWith(bytes, SIGNATURE_1) || beginsWith(bytes, SIGNATURE_2));
}

/** As far as they have arrived. */
function beginsWith(bytes: Uint8Array, signature: number[]): boolean {
  return bytes.length > 0 &&
    signature.every((byte, i) => i >= bytes.length || bytes[i] === byte);
}

function parseVersion1(bytes: Uint8Array): Preamble {
  const text = latin1(bytes, 0, Math.min(bytes.length, MAX_LINE));
  const end = text.indexOf("\r\n");
  if (end < 0) return { kind: text.length === MAX_LINE ? "malformed" : "incomplete" };
  const length = end + 2;
  const line = text.slice(0, end);
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { kind: "preamble", length };
  const match = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line);
  const parse = match?.[1] === "4" ? parseIPv4 : parseIPv6;
  const client = parse(match?.[2] ?? "");
  const local = parse(match?.[3] ?? "");
  const ports = [match?.[4], match?.[5]].every((port) => Number(port) <= 65535);
  if (client === undefined || local === undefined || !ports) return { kind: "malformed" };
  return { kind: "preamble", length, endpoints: { client, local } };
}

/** Section 2.2: signature, version and command, family, length, addresses, extensions. */
function parseVersion2(bytes: Uint8Array): Preamble {
  if (bytes.length < 16) return { kind: "incomplete" };
  const [version, command] = [bytes[12]! >> 4, bytes[12]! & 15];
  const announced = bytes[14]! * 256 + bytes[15]!;
  if (version !== 2 || command > 1 || announced > MAX_ANNOUNCED) return { kind: "malformed" };
  const length = 16 + announced;
  if (bytes.length < length) return { kind: "incomplete" };
  const family = bytes[13]!;
  // LOCAL, or a family that has no internet addresses (unspecified, Unix): the front itself.
  if (command === 0 || (family !== TCP4 && family !== TCP6)) return { kind: "preamble", length };
  const size = family === TCP4 ? 4 : 16;
  if (announced < 2 * size + 4) return { kind: "malformed" };
  const address = (from: number) => addressOf(bytes.subarray(from, from + size));
  return {
    kind: "preamble",
    length,
    endpoints: { client: address(16), local: address(16 + size) },
  };
}

const TCP4 = 0x11;
const TCP6 = 0x21;

function addressOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from(
    { length: 8 },
    (_, i) => (bytes[2 * i]! * 256 + bytes[2 * i + 1]!).toString(16),
  );
  return parseIPv6(groups.join(":"))!;
}
