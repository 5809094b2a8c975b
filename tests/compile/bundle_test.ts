/**
 * The modules of the executable: which command reads which, and that they say the same as the
 * source.
 */

import assert from "node:assert/strict";
import { bundle, MAIN } from "../../compile/bundle.ts";
import { ask, bundled, ROOT } from "./modules.ts";

const folder = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
const main = await bundled(folder);

Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

interface Module {
  text: string;
  /** Read along with it. */
  imports: string[];
  /** Read only when the program wants them. */
  later: string[];
}

async function modules(directory: string): Promise<Map<string, Module>> {
  const found = new Map<string, Module>();
  for await (const { name } of Deno.readDir(directory)) {
    const text = await Deno.readTextFile(`${directory}/${name}`);
    const named = (pattern: RegExp) => Array.from(text.matchAll(pattern), ([, target]) => target!);
    found.set(name, {
      text,
      imports: named(/\b(?:from|import)\s*"([\w./:@-]+)"/g),
      later: named(/\bimport\("([^"]+)"\)/g),
    });
  }
  return found;
}

const program = await modules(`${folder}/program`);

/** A module of the program, not of the runtime. */
const isOurs = (target: string) => target.startsWith("./");

/** The module and all that is read along with it. */
function closure(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const target of program.get(name)!.imports.filter(isOurs)) {
    closure(target.replace("./", ""), seen);
  }
  return seen;
}

/** The text of what a module reads. */
function textOf(name: string): string {
  return [...closure(name)].map((name) => program.get(name)!.text).join("\n");
}

/** The modules of the commands, which main.js reads only when they are asked for. */
const COMMANDS = program.get(MAIN)!.later.map((target) => target.replace("./", ""));

// Words that only one part of the program has.
const SERVER = "Deno.listen(";
const CERTIFICATE_WRITER = "acme-lb placeholder";

Deno.test("every start loads only the command line, and only the Node modules that commander imports", () => {
  const text = textOf(MAIN);
  assert.ok(COMMANDS.length >= 9, COMMANDS.join());
  assert.ok(text.length < 80_000, `${text.length} characters`);
  assert.ok(!text.includes(SERVER) && !text.includes(CERTIFICATE_WRITER));
  const ofNode = new Set<string>();
  for (const [name, { imports }] of program) {
    for (const target of imports) {
      if (target.startsWith("node:")) ofNode.add(target);
      else assert.ok(program.has(target.replace("./", "")), `${name}: ${target}`);
    }
  }
  const commanders = ["child_process", "events", "fs", "path", "process", "util"];
  assert.deepEqual([...ofNode].toSorted(), commanders.map((name) => `node:${name}`));
});

Deno.test("a hook loads no server code, and a server no code that writes certificates", () => {
  const servers = ["serve.js", "challenge_server.js", "proxy.js", "redirect.js"];
  for (const server of servers) {
    assert.ok(textOf(server).includes(SERVER), server);
    assert.ok(!textOf(server).includes(CERTIFICATE_WRITER), server);
  }
  assert.ok(textOf("self_signed.js").includes(CERTIFICATE_WRITER));
  for (const command of COMMANDS.filter((name) => !servers.includes(name))) {
    assert.ok(!textOf(command).includes(SERVER), command);
  }
});

const COMMAND_LINES = [
  [],
  ["--help"],
  ...COMMANDS.map((name) => [name.replace(".js", "").replaceAll("_", "-"), "--help"]),
  ["sevre"],
  ["--log-levl", "x"],
  ["serve", "--pear", "x"],
  ["serve", "now"],
  ["serve", "--peer"],
  ["serve", "--https-port", "0"],
  ["check-config", "--log-format", "xml"],
  ["check-config", "--config=/nonexistent"],
  ["challenge", "pat", "x"],
  ["challenge", "remove", "-token-that-looks-like-a-flag", "--webroot", "/nonexistent"],
  ["challenge"],
  ["self-signed"],
  ["assemble-pem", "--", "--key"],
  ["generate", "man"],
];

Deno.test("the bundled modules print the same as the source", async () => {
  for (const args of COMMAND_LINES) {
    const [built, source] = await Promise.all([ask(main, args), ask(`${ROOT}main.ts`, args)]);
    assert.deepEqual(built, source, args.join(" "));
  }
});

Deno.test("the bundled modules have the same bytes from another directory and at another time", async () => {
  const tree = `${folder}/elsewhere/with a blank`;
  await Deno.mkdir(tree, { recursive: true });
  const sources = ["main.ts", "lib", "deno.json", "deno.lock", "compile"];
  const { success } = await new Deno.Command("cp", {
    args: ["-r", ...sources.map((source) => ROOT + source), tree],
  }).output();
  assert.ok(success);
  await bundle(tree, `${folder}/again`);
  const again = await modules(`${folder}/again`);
  assert.deepEqual([...again.keys()].toSorted(), [...program.keys()].toSorted());
  for (const [name, { text }] of again) assert.ok(text === program.get(name)!.text, name);
});
