/**
 * A build: the modules, then the executable in the form that can be had here, its parts list and
 * the digests. Nothing in dist changes before all of it is there; the executable comes last, by
 * rename, so that a running copy stays what it was and what is newest is whole.
 */

import denoJson from "../deno.json" with { type: "json" };
import { bundle } from "./bundle.ts";
import { sha256 } from "./carry.ts";
import { makeCarrying } from "./carrying.ts";
import { makeCompiled } from "./compiled.ts";
import { packages } from "./packages.ts";
import { makeSbom } from "./sbom.ts";

const NAME = "acme-lb";
const DIGESTS = "SHA256SUMS";

/**
 * Builds what stands in `root` into `root/dist`, and returns a line that says what was made.
 * @throws {Error} with the reason; with a target also when there is no base binary for it
 */
export async function build(root: string, { target }: { target?: string }): Promise<string> {
  const workshop = `${root}/dist/build`;
  const remove = () => Deno.remove(workshop, { recursive: true }).catch(() => {});
  await remove();
  await Deno.mkdir(workshop);
  try {
    return await buildIn(workshop, { root, target });
  } finally {
    await remove();
  }
}

async function buildIn(
  workshop: string,
  { root, target }: { root: string; target: string | undefined },
): Promise<string> {
  const dist = `${root}/dist`;
  const executable = target === undefined ? NAME : `${NAME}-${target}`;
  const output = `${workshop}/${executable}`;
  const program = `${workshop}/program`;
  await bundle(root, program);
  const reason = await makeCompiled(program, { output, target });
  const form = reason === undefined ? "compiled" : "carrying";
  if (reason !== undefined) {
    if (target !== undefined) throw new Error(`no executable for ${target}: ${reason}`);
    await makeCarrying(program, { output, kept: dist });
  }
  const runtime = form === "carrying" ? await Deno.readFile(Deno.execPath()) : undefined;
  const parts = makeSbom({
    version: denoJson.version,
    packages: await packages(root),
    runtime: { version: Deno.version.deno, sha256: runtime && await sha256(runtime) },
  });
  await Deno.writeTextFile(`${output}.cdx.json`, JSON.stringify(parts, null, 2) + "\n");
  await Deno.remove(program, { recursive: true });

  const { size } = await Deno.stat(output);
  await Deno.writeTextFile(`${dist}/.digests`, await digests(dist, workshop));
  await Deno.rename(`${output}.cdx.json`, `${dist}/${executable}.cdx.json`);
  await Deno.rename(`${dist}/.digests`, `${dist}/${DIGESTS}`);
  await Deno.rename(output, `${dist}/${executable}`);
  const how = reason === undefined ? "" : ` because ${reason}`;
  return `dist/${executable}, ${form} form${how}, ${(size / 1e6).toFixed(1)} MB`;
}

/** Lines as sha256sum writes and checks them, of what has just been made and what is there. */
async function digests(...directories: string[]): Promise<string> {
  const paths = new Map<string, string>();
  for (const directory of directories) {
    for await (const { name, isFile } of Deno.readDir(directory)) {
      if (isFile && name.startsWith(NAME)) paths.set(name, `${directory}/${name}`);
    }
  }
  let lines = "";
  for (const [name, path] of [...paths].toSorted()) {
    lines += `${await sha256(await Deno.readFile(path))}  ${name}\n`;
  }
  return lines;
}
