/**
 * A new leaf against what stands at the target: may it take that place?
 *
 * Guards against the hook that runs with an old file, and against one target for several
 * certificates, and the mistyped target. A placeholder gives way to anything; a damaged file does
 * too, since HAProxy would not start with it.
 */

import { messageOf } from "../errors.ts";
import { type Certificate, readCertificate, titleOf } from "./certificate.ts";
import { encodePem, parsePem } from "./pem.ts";
import { isPrivateKey } from "./private_key.ts";

export interface Comparison {
  /** What `--force` turns into warnings. */
  refusals: string[];
  warnings: string[];
}

/**
 * "Older" goes by the start of validity: with lifetimes from 6 to 90 days the end of validity says
 * nothing about which of two certificates was issued later.
 */
export function compareInstalled(
  leaf: Certificate,
  { name, bytes }: { name: string; bytes: Uint8Array },
): Comparison {
  const installed = readInstalled(bytes);
  switch (installed.state) {
    case "empty":
      return { refusals: [], warnings: [] };
    case "foreign":
      return { refusals: [`${name}: what stands there holds no certificate`], warnings: [] };
    case "damaged":
      return {
        refusals: [],
        warnings: [`${name}: what stood there was damaged: ${installed.reason}`],
      };
    case "certificate":
      return compareLeaves(leaf, { name, old: installed.certificate });
  }
}

/** What an installed file is; of a PEM file, the certificate that HAProxy serves: its first. */
export type Installed =
  | { state: "empty" | "foreign" }
  | { state: "damaged"; reason: string }
  | { state: "certificate"; certificate: Certificate };

/** Never throws. */
export function readInstalled(bytes: Uint8Array): Installed {
  const text = new TextDecoder("latin1").decode(bytes);
  if (text.trim() === "") return { state: "empty" };
  if (!/-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/.test(text)) return { state: "foreign" };
  try {
    const block = parsePem(bytes).find(({ label }) => label.endsWith("CERTIFICATE"));
    return { state: "certificate", certificate: readCertificate(block!.der) };
  } catch (error) {
    return { state: "damaged", reason: messageOf(error) };
  }
}

/**
 * The keys and certificates of an installed file, encoded anew so that nothing else in it can
 * reach HAProxy; undefined when it cannot be read.
 */
export function reencodeInstalled(bytes: Uint8Array): string | undefined {
  try {
    const blocks = parsePem(bytes).flatMap((block) => {
      if (isPrivateKey(block)) return block.encrypted ? [] : [encodePem(block.label, block.der)];
      return block.label.endsWith("CERTIFICATE") ? [encodePem("CERTIFICATE", block.der)] : [];
    });
    return blocks.length > 0 ? blocks.join("") : undefined;
  } catch {
    return undefined;
  }
}

function compareLeaves(
  leaf: Certificate,
  { name, old }: { name: string; old: Certificate },
): Comparison {
  if (old.placeholder) return { refusals: [], warnings: [] };
  if (leaf.notBefore < old.notBefore) {
    const since = `valid from ${leaf.notBefore.toISOString()}, not ${old.notBefore.toISOString()}`;
    const refusal = `${titleOf(leaf)} is older than the installed ${titleOf(old)}: ${since}`;
    return { refusals: [refusal], warnings: [] };
  }
  const names = new Set(leaf.names.map(nameKey));
  const lost = old.names.filter((entry) => !names.has(nameKey(entry)));
  if (lost.length === 0) return { refusals: [], warnings: [] };
  const list = lost.slice(0, 10).map(({ value }) => value.slice(0, 100)).join(", ");
  if (lost.length < old.names.length) {
    return { refusals: [], warnings: [`${titleOf(leaf)} no longer covers ${list}`] };
  }
  return {
    refusals: [`${name}: is for ${list}; ${titleOf(leaf)} covers none of these`],
    warnings: [],
  };
}

function nameKey({ kind, value }: { kind: string; value: string }): string {
  return `${kind} ${value.toLowerCase()}`;
}
