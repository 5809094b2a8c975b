/**
 * Other certificates that HAProxy may use for the names of the installed one.
 *
 * Of two for one name with the same kind of key, a bind uses the one that was loaded first; after a
 * swap the new one comes after the other. A wildcard and an exact name do not compete: the exact
 * one is shown, as it should be.
 */
import { type Haproxy, listCertificates, replyText } from "./haproxy_connection.ts";
import { type LoadedCertificate, showAll } from "./loaded_certificates.ts";
import { nameProblem } from "./payload.ts";
import { type CrtListEntry, parseCrtList, parseCrtLists } from "./replies.ts";

export interface Rival {
  certificate: LoadedCertificate;
  /** The names that both answer for. */
  names: string[];
}

/** What was installed. */
export interface Incumbent extends Pick<LoadedCertificate, "names" | "key"> {
  fingerprint: string;
  /** The names under which HAProxy holds it. */
  loadedAs: readonly string[];
}

/** Asks for every certificate that is loaded. @throws {SwapFault} */
export async function askForRivals(haproxy: Haproxy, incumbent: Incumbent): Promise<Rival[]> {
  const { names } = await listCertificates(haproxy);
  const loaded = await showAll(
    haproxy,
    names.filter((name) => !incumbent.loadedAs.includes(name)),
  );
  if (findRivals(incumbent, loaded, []).length === 0) return [];
  const lists = parseCrtLists(replyText(await haproxy.ask("show ssl crt-list"))) ?? [];
  const entries: CrtListEntry[] = [];
  for (const list of lists.filter((list) => nameProblem(list) === undefined)) {
    entries.push(...parseCrtList(replyText(await haproxy.ask(`show ssl crt-list ${list}`))));
  }
  return findRivals(incumbent, loaded, entries);
}

/** Certificates in use with another leaf, the same kind of key and a shared name. */
export function findRivals(
  incumbent: Incumbent,
  loaded: readonly LoadedCertificate[],
  entries: readonly CrtListEntry[],
): Rival[] {
  const mine = new Set(
    incumbent.loadedAs.flatMap((name) => answersFor(name, incumbent.names, entries)),
  );
  return loaded.flatMap((certificate) => {
    const { name, status, key, fingerprintSha1, names } = certificate;
    if (status !== "Used" || fingerprintSha1 === incumbent.fingerprint) return [];
    if (key !== undefined && incumbent.key !== undefined && key !== incumbent.key) return [];
    const common = answersFor(name, names, entries).filter((one) => mine.has(one));
    return common.length > 0 ? [{ certificate, names: common }] : [];
  });
}

/**
 * The names for which a certificate is used: its own, unless all its lines in crt-lists restrict
 * them.
 */
function answersFor(
  name: string,
  names: readonly string[],
  entries: readonly CrtListEntry[],
): string[] {
  const lines = entries.filter((entry) => entry.name === name);
  if (lines.length === 0) return [...names];
  const answered = lines.flatMap(({ filters }) => {
    const wanted = filters.filter((filter) => !filter.startsWith("!"));
    const all = wanted.length > 0 ? wanted : names;
    return all.filter((one) => !filters.includes(`!${one}`));
  });
  return [...new Set(answered)];
}
