/**
 * The program as JavaScript modules: main.js, which every start reads, and a module for each
 * command and for what several of them share, which only those read that need it.
 *
 * The modules depend on nothing but the runtime, and not on the parts of it that are slow to load:
 * commander's Node modules give way to stand_ins.ts.
 */

import { deno } from "./deno.ts";

export const MAIN = "main.js";

const STAND_INS = "stand_ins.js";

/** Of the same origin, so that the runtime takes them for parts of the program. */
const NODE_MODULE = /(?<=\bfrom\s*)"node:[a-z_/]+"/g;

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
  const entries = [
    ["--code-splitting", "--outdir", directory, `${root}/main.ts`],
    ["--output", `${directory}/${STAND_INS}`, `${root}/compile/stand_ins.ts`],
  ];
  for (const entry of entries) {
    const { code, stderr } = await deno(["bundle", ...flags, ...entry], root);
    if (code !== 0) throw new Error(`deno bundle failed:\n${stderr}`);
  }
  for await (const { name } of Deno.readDir(directory)) {
    const path = `${directory}/${name}`;
    // lib/ loads what it needs of Node by import(), so whatever stands at the top is commander's.
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replace(NODE_MODULE, `"./${STAND_INS}"`));
    // deno compile records the time of what it embeds; the same commit should give the same file.
    await Deno.utime(path, 0, 0);
  }
}
