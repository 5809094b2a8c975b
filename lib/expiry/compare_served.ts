/**
 * Compares live endpoints with files: do they serve the newest certificate on disk?
 *
 * A certificate that is renewed on disk while the old one is served is an outage that neither check
 * finds by itself.
 */

import { isOlder } from "../cert/age.ts";
import { asAlternativeNames, covers } from "../cert/coverage.ts";
import type { ExpiryFinding, ExpiryRecord, LeafFacts } from "./record.ts";
import { addFindings } from "./certificate_record.ts";

/** A record of an endpoint, with what was asked there. */
export interface Served {
  record: ExpiryRecord;
  /** The name that was asked for, if any. */
  name: string | undefined;
  /** `[2001:db8::1]:443` */
  address: string;
  /** Whether the address has another certificate for clients that prefer another kind of key. */
  second?: boolean;
}

/**
 * The endpoints' records, each CRITICAL as well when a file holds a newer certificate for the name
 * that was asked for, or without one for a name that the served certificate has. As servers do,
 * files with that very name go before those with a wildcard that covers it. Of several, those of the
 * same kind of key count: a server may have one of RSA and one of ECDSA. Which is newer, isOlder in
 * lib/cert tells.
 */
export function compareWithDisk(served: Served[], files: ExpiryRecord[]): Served[] {
  const onDisk = files.flatMap(({ place, leaf }) => leaf ? [{ place, leaf }] : []);
  const byQuestion = Map.groupBy(served, questionOf);
  return served.map((one) => {
    const { leaf } = one.record;
    if (!leaf) return one;
    const beside = byQuestion.get(questionOf(one))!.filter((other) => other !== one);
    const otherKinds = new Set(
      beside.flatMap(({ record }) => record.leaf?.key ?? []).map(keyFamily),
    );
    otherKinds.delete(keyFamily(leaf.key));
    const fitting = onDisk.filter((file) =>
      !otherKinds.has(keyFamily(file.leaf.key)) && (leaf.placeholder || !file.leaf.placeholder)
    );
    const wanted = one.name === undefined ? leaf.names : [one.name];
    const expected = [...new Set(wanted.flatMap((name) => filesFor(name, fitting)))];
    const related = expected.filter((file) => keyFamily(file.leaf.key) === keyFamily(leaf.key));
    const findings = compare(leaf, related.length > 0 ? related : expected);
    return { ...one, record: addFindings(one.record, findings) };
  });
}

function questionOf({ address, name }: Served): string {
  return `${address} ${name ?? ""}`;
}

/** Those that a server chooses among for a name. */
function filesFor(name: string, files: OnDisk[]): OnDisk[] {
  const wanted = name.toLowerCase();
  const exact = files.filter(({ leaf }) => leaf.names.some((own) => own.toLowerCase() === wanted));
  if (exact.length > 0) return exact;
  return files.filter(({ leaf }) => covers(asAlternativeNames(leaf.names), wanted));
}

interface OnDisk {
  place: string;
  leaf: LeafFacts;
}

function compare(served: LeafFacts, files: OnDisk[]): ExpiryFinding[] {
  const newest = files.reduce<OnDisk | undefined>(
    (best, file) => !best || isOlder(best.leaf, file.leaf) === "older" ? file : best,
    undefined,
  );
  if (!newest || isOlder(newest.leaf, served) === "older") return [];
  const same = files.some(({ leaf }) =>
    leaf.fingerprint === served.fingerprint && isOlder(leaf, newest.leaf) !== "older"
  );
  if (same) return [];
  const text = `serves serial ${served.serial}, but ${newest.place} holds the newer serial ` +
    `${newest.leaf.serial}: reload the server, or swap the file in`;
  return [{ state: "CRITICAL", reason: "not_served", text }];
}

/** `RSA 2048` and `RSA 4096` are one kind of key, and so are the curves. */
function keyFamily(key: string): string {
  return /^(?:P-|EC)/.test(key) ? "EC" : key.split(" ")[0]!;
}
