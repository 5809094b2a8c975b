/**
 * The program as JavaScript modules: main.js, which every start reads, and a module for each
 * command and for what several of them share, which only those read that need it. They depend on
 * nothing but the runtime.
 */

import { deno } from "./deno.ts";

export const MAIN = "main.js";

/**
 * What commander imports of Node for things that lib/cli.ts never asks of it: subcommands that are
 * programs of their own, colours, the environment. The first module of Node that is loaded takes
 * longer than all the rest of a start, which keepalived pays every few seconds.
 */
const STAND_INS: Record<string, string> = {
  "node:child_process": "{}",
  "node:events": `{EventEmitter:class{
    #heard=new Map;
    on(name,listener){this.#heard.set(name,[...this.#heard.get(name)??[],listener]);return this}
    emit(name,...values){for(const one of this.#heard.get(name)??[])one.apply(this,values);return this.#heard.has(name)}
    listenerCount(name){return this.#heard.get(name)?.length??0}
  }}`,
  "node:fs": "{}",
  "node:path": "{}",
  "node:process": "{}",
  "node:util": "{stripVTControlCharacters:(text)=>text}",
};

/** An import of Node's at the start of a module: a name, or names in braces. */
const NODE_IMPORT = /import\s*(?:([\w$]+)|\{([^{}]*)\})\s*from\s*"(node:[\w\/]+)";/g;

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
  await finish(directory);
}

/**
 * A module's text without imports of Node at its start; those that a function makes when it needs
 * them stay.
 * @throws {Error} for one that has no stand-in
 */
function withoutNode(text: string): string {
  return text.replace(NODE_IMPORT, (_, name?: string, names?: string, module = "") => {
    const standIn = STAND_INS[module];
    if (standIn === undefined) throw new Error(`every start would load ${module}`);
    return `const ${name ?? `{${names!.replaceAll(" as ", ":")}}`}=${standIn};`;
  });
}

async function finish(directory: string): Promise<void> {
  const texts = new Map<string, string>();
  for await (const { name } of Deno.readDir(directory)) {
    texts.set(name, withoutNode(await Deno.readTextFile(`${directory}/${name}`)));
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
