/**
 * What this balancer sees when it looks at its own certificates and hooks: the files of the
 * configuration, HAProxy's memory where it may be asked, and what the hook left.
 */

import { type BoundedFiles, boundFiles } from "../bounded_files.ts";
import type { Config } from "../config/schema.ts";
import { checkFiles } from "../expiry/check_files.ts";
import { compareMemories, readMemories } from "../expiry/check_loaded.ts";
import type { ExpiryRecord } from "../expiry/record.ts";
import { changesOf, DEFAULT_THRESHOLDS } from "../expiry/thresholds.ts";
import { ageFindings } from "../expiry/age_findings.ts";
import { makeRecord } from "../expiry/certificate_record.ts";
import { isoSeconds } from "../time.ts";
import { EARLIEST_NOW } from "../version.ts";
import type { ToldCertificate } from "./balancer_report.ts";
import { type HookState, readHookStates } from "./hook_state.ts";
import { toldCertificates } from "./told_certificates.ts";
import { isSocketPath } from "../runtime_address.ts";

export interface OwnLook {
  /** The worst first, within the bounds of a report. */
  certificates: ToldCertificate[];
  /** Null: nobody has looked yet. */
  certificatesTotal: number | null;
  renewedAt: string | null;
  hooks: HookState[];
}

/** Threads that a dead disk may cost the server, whose webroots need the others. */
const MAX_SILENT = 4;

/** A function that looks once; what is silent is remembered from one look to the next. */
export function createOwnLook(): (config: Config, now?: Date) => Promise<OwnLook> {
  const files = boundFiles({ maxSilent: MAX_SILENT });
  return (config, now = new Date()) => lookAt(config, { files, now });
}

async function lookAt(
  config: Config,
  { files, now }: { files: BoundedFiles; now: Date },
): Promise<OwnLook> {
  const rules = { now, earliestNow: EARLIEST_NOW, thresholds: DEFAULT_THRESHOLDS, names: [] };
  const sha1 = new Map<string, string>();
  const [found, memories, hooks] = await Promise.all([
    checkFiles(config.certificates, rules, { files, keys: false, sha1 }),
    // The server has given up the right to open a UNIX socket with that of writing files.
    readMemories(config.haproxy.sockets.filter((socket) => !isSocketPath(socket))),
    readHookStates(config.state, files),
  ]);
  const seen = withLeft(found.records, { hooks, now });
  const loaded = compareMemories(memories, { files: seen, sha1, rules });
  const records = [...seen, ...loaded.records];
  return {
    certificates: toldCertificates(records),
    certificatesTotal: records.length,
    renewedAt: lastRenewal(records, hooks),
    hooks,
  };
}

/**
 * The files as they were read, and those of which the hook left the facts because this user may not
 * read them, or the directory that they are in: they hold keys.
 */
function withLeft(
  records: ExpiryRecord[],
  { hooks, now }: { hooks: HookState[]; now: Date },
): ExpiryRecord[] {
  const left = hooks.flatMap(({ out, leaf }) => leaf ? [{ out, leaf }] : []);
  // What is damaged is told as it is; only what is closed to this user is told by what was left.
  const isClosed = ({ findings: [first] }: ExpiryRecord) =>
    first?.reason === "unreadable" && first.text.includes("permission denied");
  const isLeft = (record: ExpiryRecord) =>
    isClosed(record) && left.some(({ out }) => `${out}/`.startsWith(`${record.place}/`));
  const read = records.filter((record) => !isLeft(record));
  const known = new Set(read.map(({ place }) => place));
  return [
    ...read,
    ...left.filter(({ out }) => !known.has(out))
      .map(({ out, leaf }) => leftRecord(out, leaf, now)),
  ];
}

function leftRecord(
  place: string,
  leaf: NonNullable<HookState["leaf"]>,
  now: Date,
): ExpiryRecord {
  const dates = { notBefore: new Date(leaf.not_before), notAfter: new Date(leaf.not_after) };
  const changes = changesOf(dates, DEFAULT_THRESHOLDS);
  const clock = { now, earliestNow: EARLIEST_NOW };
  const findings = ageFindings(dates, { clock, thresholds: DEFAULT_THRESHOLDS, changes });
  const { names, serial, issuer } = leaf;
  return makeRecord({ source: "file", place }, findings, {
    leaf: {
      ...{ title: names[0] ?? serial, names, serial, issuer, ...dates },
      ...{ authority: issuer, key: "", placeholder: false },
    },
    ...changes,
  });
}

/** By what the hook left, and by the newest certificate that is no placeholder. */
function lastRenewal(records: ExpiryRecord[], hooks: HookState[]): string | null {
  const issued = records.flatMap(({ leaf }) =>
    leaf && !leaf.placeholder ? [isoSeconds(leaf.notBefore)] : []
  );
  const left = hooks.flatMap(({ renewed_at }) => renewed_at ?? []);
  return [...issued, ...left].sort().at(-1) ?? null;
}
