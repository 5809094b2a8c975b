/**
 * `deno task release VERSION`: a commit and a tag for the version, and the executable built from it.
 *
 * Nothing is pushed. Refused when the tree is not clean, when the version is not a later one, or when
 * the changelog has nothing under "Unreleased".
 */

import { build } from "./build.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const HEADING = "## Unreleased";

/** Numbers of a version such as 1.2.3. @throws {SyntaxError} */
function numbersOf(version: string): number[] {
  if (!/^\d{1,5}\.\d{1,5}\.\d{1,5}$/.test(version)) {
    throw new SyntaxError(`${JSON.stringify(version)} is no version; expected one such as 1.2.3`);
  }
  return version.split(".").map(Number);
}

/** deno.json with the new version. @throws {Error} unless it is later than the old one */
export function withVersion(denoJson: string, version: string): string {
  const old: string = JSON.parse(denoJson).version;
  const [before, after] = [numbersOf(old), numbersOf(version)];
  const changed = after.findIndex((number, i) => number !== before[i]);
  if (changed < 0 || after[changed]! < before[changed]!) {
    throw new Error(`${version} is not later than ${old}, the version in deno.json`);
  }
  return denoJson.replace(`"version": "${old}"`, `"version": "${version}"`);
}

/** The changelog with its "Unreleased" part under the version and the date (YYYY-MM-DD). */
export function withRelease(changelog: string, version: string, date: string): string {
  const [before, rest] = changelog.split(`${HEADING}\n`) as [string, string?];
  const text = rest?.split(/^## /m)[0]?.trim() ?? "";
  if (text === "") throw new Error(`CHANGELOG.md has nothing under "${HEADING}"`);
  return `${before}${HEADING}\n\n## ${version} (${date})\n${rest}`;
}

async function git(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("git", { args, cwd: ROOT }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`git ${args[0]}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout).trim();
}

async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  await Deno.writeTextFile(`${ROOT}${file}`, change(await Deno.readTextFile(`${ROOT}${file}`)));
}

async function release(version: string): Promise<void> {
  if (await git("status", "--porcelain") !== "") {
    throw new Error("the tree has uncommitted changes");
  }
  const date = new Date().toISOString().slice(0, 10);
  // Both are checked before either is written.
  const [denoJson, changelog] = await Promise.all([
    Deno.readTextFile(`${ROOT}deno.json`).then((text) => withVersion(text, version)),
    Deno.readTextFile(`${ROOT}CHANGELOG.md`).then((text) => withRelease(text, version, date)),
  ]);
  await rewrite("deno.json", () => denoJson);
  await rewrite("CHANGELOG.md", () => changelog);
  say(await build(ROOT, {}));
  await git("commit", "--all", "--message", `release: ${version}`);
  await git("tag", "--annotate", `v${version}`, "--message", `acme-lb ${version}`);
  say(await Deno.readTextFile(`${ROOT}dist/SHA256SUMS`));
  say(`tagged v${version}; push it with: git push --follow-tags`);
}

function say(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text.trimEnd()}\n`));
}

if (import.meta.main) {
  const [version, ...rest] = Deno.args;
  try {
    if (version === undefined || rest.length > 0) {
      throw new Error("usage: deno task release VERSION");
    }
    await release(version);
  } catch (error) {
    say(`release: ${error instanceof Error ? error.message : String(error)}`);
    Deno.exitCode = 1;
  }
}
