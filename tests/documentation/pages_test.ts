/**
 * What can be said of the pages without running anything: their links lead somewhere, the calls of
 * acme-lb in them are calls it understands, and together they name each command.
 * Their commands are run in e2e/documentation_test.ts.
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { runExecutable } from "../executable.ts";
import { callsIn, spansOf, stepsOf, withoutBlocks } from "./commands.ts";
import { readPages } from "./pages.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PAGES = await readPages();
const ALL = PAGES.map(({ text }) => text).join("\n");

Deno.test("the links of README and docs lead to existing files and headings", async () => {
  const broken = [];
  for (const { file, text } of PAGES) {
    for (const { target, line } of linksOf(text)) {
      if (!await leadsSomewhere(file, target)) broken.push(`${file}:${line}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

Deno.test("files of the checkout that the pages name exist", async () => {
  const absent = [];
  for (const { file, text } of PAGES) {
    for (
      const [path] of text.matchAll(
        /(?<![\w/.-])(?:examples|docs|lib|tests|bench|compile)\/[\w./*-]*\w/g,
      )
    ) {
      const pattern = path.replace(/\/\*.*$/, "");
      if (!await exists(`${ROOT}${pattern}`)) absent.push(`${file}: ${path}`);
    }
  }
  assert.deepEqual(absent, []);
});

Deno.test("every call of acme-lb in the pages names a command and flags that it has", async () => {
  const steps = PAGES.flatMap(({ file, text }) => [...stepsOf(file, text), ...spansOf(file, text)]);
  const calls = steps.flatMap((step) => callsIn(step.command).map((call) => ({ step, call })));
  assert.ok(calls.length > 20, `only ${calls.length} calls found`);
  const wrong = [];
  for (const { step, call } of calls) {
    const { known, flags } = await helpOf(call.words);
    const unknown = known ? call.flags.filter((flag) => !flags.has(flag)) : call.words.slice(0, 1);
    wrong.push(...unknown.map((word) => `${step.file}:${step.line}: no ${word}: ${step.command}`));
  }
  assert.deepEqual(wrong, []);
});

Deno.test("README and docs name each command", async () => {
  const { stdout } = await runExecutable(["--help"]);
  const table = stdout.slice(stdout.indexOf("Commands:"));
  const commands = [...table.matchAll(/^ {2}([a-z][a-z-]*)/mg)].map((match) => match[1]!);
  assert.ok(commands.includes("serve"), stdout);
  const unnamed = commands.filter((name) =>
    !ALL.includes(`\`${name}\``) && !ALL.includes(`acme-lb ${name}`)
  );
  assert.deepEqual(unnamed, []);
});

interface Help {
  /** There is such a command. */
  known: boolean;
  flags: Set<string>;
}

const helps = new Map<string, Promise<Help>>();

/** Of the command that the call names, or of the program. */
function helpOf([command = ""]: string[]): Promise<Help> {
  const args = command === "" ? ["--help"] : [command, "--help"];
  const known = helps.get(command) ?? runExecutable(args).then(({ stdout }) => ({
    known: stdout.startsWith(`Usage: acme-lb ${command}`),
    flags: new Set(stdout.match(/(?<![\w-])--?[a-z][a-z-]*/g)),
  }));
  helps.set(command, known);
  return known;
}

function linksOf(text: string): { target: string; line: number }[] {
  const prose = withoutBlocks(text);
  return [...prose.matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/mg)].map((match) => ({
    target: match[1] ?? match[2]!,
    line: prose.slice(0, match.index).split("\n").length,
  }));
}

async function leadsSomewhere(file: string, target: string): Promise<boolean> {
  if (/^https:\/\/\w/.test(target)) return true;
  const [path, anchor] = target.split("#") as [string, string?];
  const at = path === "" ? file : `${dirname(file)}/${path}`;
  if (!await exists(`${ROOT}${at}`)) return false;
  if (anchor === undefined) return true;
  return headingsOf(await Deno.readTextFile(`${ROOT}${at}`)).includes(anchor);
}

/** As the hosts of repositories make them: lower case, blanks to dashes, no punctuation. */
function headingsOf(markdown: string): string[] {
  return [...withoutBlocks(markdown).matchAll(/^#+ (.*)$/mg)].map((match) =>
    match[1]!.toLowerCase().replaceAll(/[^\w\s-]/g, "").replaceAll(" ", "-")
  );
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
