/**
 * The program as JavaScript modules: main.js, which every start reads, and a module for each
 * command and for what several of them share, which only those read that need it. They depend on
 * nothing but the runtime.
 */

import { deno } from "./deno.ts";

export const MAIN = "main.js";

/** How a module names another. */
const MODULE = /"\.\/([^"\/]+\.js)"/g;

/**
 * Writes the modules into the directory, which must not exist yet.
 *
 * `--platform browser` is there for the yaml package, whose build for Node reads environment
 * variables as it is loaded and costs 25 ms more at every start.
 *
 * @throws {Error} with what deno bundle says
 */
export async function bundle(root: string, directory: string): Promise<void> {
  const flags = ["--quiet", "--frozen", "--minify", "--platform", "browser"];
  const entry = ["--code-splitting", "--outdir", directory, `${root}/main.ts`];
  const { code, stderr } = await deno(["bundle", ...flags, ...entry], root);
  if (code !== 0) throw new Error(`deno bundle failed:\n${stderr}`);
  await rename(directory);
}

async function rename(directory: string): Promise<void> {
  const texts = new Map<string, string>();
  for await (const { name } of Deno.readDir(directory)) {
    texts.set(name, await Deno.readTextFile(`${directory}/${name}`));
    await Deno.remove(`${directory}/${name}`);
  }
  const names = plainNames(texts);
  for (const [name, text] of texts) {
    const renamed = text.replace(
      MODULE,
      (whole, target) => names.has(target) ? `"./${names.get(target)}"` : whole,
    );
    const path = `${directory}/${names.get(name)}`;
    await Deno.writeTextFile(path, renamed);
    // deno compile records the time of what it embeds; the same commit should give the same file.
    await Deno.utime(path, 0, 0);
  }
}

/**
 * Names without the bundler's digests, which depend on the directory that it ran in: a command's
 * module is called as its source, what several share is numbered as it is first mentioned.
 */
function plainNames(texts: Map<string, string>): Map<string, string> {
  const names = new Map([[MAIN, MAIN]]);
  let shared = 0;
  // A Map's iteration comes to what is added on the way.
  for (const name of names.keys()) {
    for (const [, target] of texts.get(name)!.matchAll(MODULE)) {
      if (!texts.has(target!) || names.has(target!)) continue;
      const source = target!.replace(/-[A-Z0-9]{8}\.js$/, "");
      names.set(target!, source === "chunk" ? `shared_${++shared}.js` : `${source}.js`);
    }
  }
  return names;
}
