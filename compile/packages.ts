/** The packages of deno.lock, and which of them the program is made of, asked of Deno itself. */

import { deno } from "./deno.ts";
import type { Package } from "./sbom.ts";

/** The parts of `deno info --json` that are used. */
interface Info {
  modules: { npmPackage?: string }[];
  npmPackages: Record<
    string,
    { name: string; version: string; dependencies: string[]; localPath: string }
  >;
}

/** @throws {Error} when deno.lock and what Deno finds are not the same packages */
export async function packages(root: string): Promise<Package[]> {
  const { code, stdout, stderr } = await deno(["info", "--json", `${root}/main.ts`], root);
  if (code !== 0) throw new Error(`deno info failed:\n${stderr}`);
  const info: Info = JSON.parse(stdout);
  const lock = JSON.parse(await Deno.readTextFile(`${root}/deno.lock`));
  const carried = withDependencies(info);
  const found: Package[] = [];
  for (const [id, { name, version, dependencies, localPath }] of Object.entries(info.npmPackages)) {
    const integrity = lock.npm[id]?.integrity;
    if (integrity === undefined) throw new Error(`deno.lock does not hold ${id}`);
    const { license } = JSON.parse(await Deno.readTextFile(`${localPath}/package.json`));
    found.push({ name, version, integrity, dependencies, carried: carried.has(id), license });
  }
  return found;
}

/** What the program imports, and what that imports in turn. */
function withDependencies({ modules, npmPackages }: Info): Set<string> {
  const ids = modules.map(({ npmPackage }) => npmPackage).filter((id) => id !== undefined);
  const carried = new Set(ids);
  // A Set's iteration comes to what is added on the way.
  for (const id of carried) {
    for (const dependency of npmPackages[id]?.dependencies ?? []) carried.add(dependency);
  }
  return carried;
}
