/** Rendered files and the files that they replace: compared, kept, replaced. */

import { atomicWrite } from "../atomic_write.ts";
import { writeToStdout } from "../cli.ts";
import { JobError } from "../errors.ts";
import { makeDirectory } from "../make_directory.ts";
import { readIfPresent, readWithMode } from "../read_input.ts";
import type { RenderedFile } from "../render/rendered_file.ts";
import { changedRouterIds } from "../render/router_ids.ts";
import { unifiedDiff } from "../unified_diff.ts";
import { resolvePemTarget } from "./pem_target.ts";

/** A rendered file, and the one that it would replace. */
interface PlacedFile extends RenderedFile {
  /** Its path below the given root directory. */
  place: string;
  /** The file that is there; undefined when there is none. */
  old: string | undefined;
}

/**
 * Reads the present file for each rendered one below a directory. @throws {JobError} when one
 * cannot be read
 */
export async function findPlaces(files: RenderedFile[], root: string): Promise<PlacedFile[]> {
  const base = root.replace(/\/+$/, "");
  const placed = [];
  for (const file of files) {
    const place = `${base}${file.path}`;
    const bytes = await readIfPresent(place);
    placed.push({ ...file, place, old: bytes && new TextDecoder().decode(bytes) });
  }
  return placed;
}

/** What writing the files would change, as `diff -u` shows it; nothing for those that are the same. */
export function differences(files: PlacedFile[]): string {
  return files.filter(differs).map(({ place, old, text }) =>
    unifiedDiff(
      { from: old === undefined ? "/dev/null" : place, text: old ?? "" },
      { to: `${place} (rendered)`, text },
    )
  ).join("");
}

/** Router ids that writing the files would change, a line each. */
export function routerIdChanges(files: PlacedFile[]): string[] {
  return files.flatMap(({ old, text }) => old === undefined ? [] : changedRouterIds(old, text));
}

/**
 * Writes each file to its place and says so; one that is replaced is kept beside it.
 * @throws {JobError} before anything is written when a file differs, unless forced
 */
export async function placeFiles(
  files: PlacedFile[],
  { force }: { force: boolean },
): Promise<void> {
  const replaced = files.filter((file) => file.old !== undefined && differs(file));
  if (replaced.length > 0 && !force) {
    const ids = routerIdChanges(replaced).map((line) =>
      `${line}: until every balancer has the new file, two of them hold the address; `
    );
    throw new JobError(
      `${replaced.map(({ place }) => place).join(", ")}: exists with other content; ` +
        `${ids.join("")}nothing was written; compare with --diff, then add --force`,
    );
  }
  for (const file of files) {
    const { place, text, mode = 0o644 } = file;
    await makeDirectory(place.slice(0, place.lastIndexOf("/")));
    if (replaced.includes(file)) await keep(file);
    writeToStdout(`${place}: ${await atomicWrite(place, text, { mode })}\n`);
  }
}

function differs({ old, text }: PlacedFile): boolean {
  return old !== text;
}

/**
 * A copy under a name that no program reads: HAProxy, systemd and acmetool ignore names that begin
 * with a dot. It is not executable, and readable only by those who could read what was copied, which
 * another user may have exchanged for a link a moment ago.
 * @throws {JobError} for a link that another user could have planted: it is not replaced either
 */
async function keep({ place }: PlacedFile): Promise<void> {
  const { path } = await resolvePemTarget(place);
  const { bytes, mode } = await readWithMode(path);
  const slash = place.lastIndexOf("/") + 1;
  const time = new Date().toISOString().replaceAll(/[-:.]/g, "");
  const copy = `${place.slice(0, slash)}.${place.slice(slash)}.old-${time}`;
  await atomicWrite(copy, bytes, { mode: mode & 0o666, replaceLink: true });
  writeToStdout(`${copy}: copy of the replaced file\n`);
}
