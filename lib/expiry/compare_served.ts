/**
 * Live endpoints against files: is what they serve the newest that lies on the disk?
 *
 * "Renewed on disk, the old one served" is the outage that a check of either alone never sees.
 */

import { covers, isAddress } from "../cert/coverage.ts";
import type { ExpiryRecord, Finding, LeafFacts } from "./record.ts";
import { addFindings } from "./certificate_record.ts";

/** A record of an endpoint, with the name that was asked for. */
export interface Served {
  record: ExpiryRecord;
  name: string | undefined;
}

/**
 * The endpoints' records, each CRITICAL as well when a file holds a newer certificate for the name
 * that was asked for, or without one for a name that the served certificate has. Of several such
 * files those of the same kind of key count: a server may have one of RSA and one of ECDSA.
 * "Newer" goes by the start of validity; lifetimes differ.
 */
export function compareWithDisk(served: Served[], files: ExpiryRecord[]): Served[] {
  const onDisk = files.flatMap(({ place, leaf }) => leaf ? [{ place, leaf }] : []);
  return served.map(({ record, name }) => {
    const { leaf } = record;
    if (!leaf) return { record, name };
    const wanted = name === undefined ? leaf.names : [name];
    const fitting = onDisk.filter((file) =>
      wanted.some((one) => isFor(file.leaf, one)) && (leaf.placeholder || !file.leaf.placeholder)
    );
    const related = fitting.filter((file) => keyFamily(file.leaf) === keyFamily(leaf));
    const findings = compare(leaf, related.length > 0 ? related : fitting);
    return { record: addFindings(record, findings), name };
  });
}

interface OnDisk {
  place: string;
  leaf: LeafFacts;
}

function compare(served: LeafFacts, files: OnDisk[]): Finding[] {
  const newest = files.reduce<OnDisk | undefined>(
    (best, file) => !best || file.leaf.notBefore > best.leaf.notBefore ? file : best,
    undefined,
  );
  if (!newest || newest.leaf.notBefore < served.notBefore) return [];
  const same = files.some(({ leaf }) =>
    leaf.fingerprint === served.fingerprint && leaf.notBefore >= newest.leaf.notBefore
  );
  if (same) return [];
  const text = `serves serial ${served.serial}, but ${newest.place} holds the newer serial ` +
    `${newest.leaf.serial}: reload the server, or swap the file in`;
  return [{ state: "CRITICAL", reason: "not_served", text }];
}

function isFor({ names }: LeafFacts, name: string): boolean {
  const kinds = names.map((value) => ({
    kind: isAddress(value) ? "IP" as const : "DNS" as const,
    value,
  }));
  return covers(kinds, name.toLowerCase());
}

/** `RSA 2048` and `RSA 4096` are one, and so are the curves. */
function keyFamily({ key }: LeafFacts): string {
  return key.startsWith("P-") ? "EC" : key.split(" ")[0]!;
}
