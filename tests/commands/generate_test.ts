/** `acme-lb generate`, held against what --help says: no command, no flag and no variable is left out. */

import assert from "node:assert/strict";
import { PERMISSIONS } from "../../compile/run_flags.ts";
import denoJson from "../../deno.json" with { type: "json" };
import { lacking } from "../e2e/requirements.ts";
import { formatted, lint, READERS } from "../manual/man_reader.ts";
import { acmeLb } from "./program.ts";

/** Each command's words of --help: flags and, in brackets, operands. */
async function helpTells(): Promise<Record<string, string[]>> {
  const { stdout } = await acmeLb(["--help"]);
  const list = stdout.slice(stdout.indexOf("\nCommands:\n"));
  const told: Record<string, string[]> = {};
  for (const [, command] of list.matchAll(/^ {2}([a-z][a-z-]+) /mg)) {
    const help = (await acmeLb([command!, "--help"])).stdout;
    const flags = [...help.matchAll(/^ +(?:-[\w], )?(--[a-z][a-z\d-]*)/mg)].map(([, flag]) =>
      flag!
    );
    told[command!] = flags;
  }
  return told;
}

async function generated(document: string): Promise<string> {
  const { code, stdout, stderr } = await acmeLb(["generate", document]);
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout;
}

const help = await helpTells();

Deno.test("--help lists commands and flags, with which the other tests compare", () => {
  assert.ok(Object.keys(help).length >= 9, Object.keys(help).join());
  assert.ok(help["serve"]!.includes("--peer") && help["serve"]!.includes("--config"));
});

Deno.test("the man page has every command, every flag and what the operator can set", async () => {
  const page = await generated("man");
  // Roff without its escapes.
  const text = page.replace(/\\f[BIR]/g, "").replaceAll("\\-", "-");
  for (const [command, flags] of Object.entries(help)) {
    const start = text.indexOf(`\n.SS "${command}"\n`);
    assert.ok(start > 0, command);
    const ends = [text.indexOf("\n.SS ", start + 1), text.indexOf("\n.SH ", start + 1)];
    const part = text.slice(start, Math.min(...ends.filter((end) => end > 0)));
    const everywhere = text.slice(text.indexOf('.SH "OPTIONS"'));
    for (const flag of flags) {
      const own = new RegExp(`^(-\\w, )?${flag}( |$)`, "m");
      assert.ok(own.test(part) || own.test(everywhere), `${command} ${flag}`);
    }
  }
  const environment = text.slice(text.indexOf('.SH "ENVIRONMENT"'), text.indexOf('.SH "EXIT'));
  // What systemd and the start of the executable set is nobody's to set by hand.
  const own = denoJson.compile.permissions.env;
  for (const name of PERMISSIONS.env.filter((name) => !own.includes(name))) {
    assert.ok(environment.includes(name), name);
  }
});

Deno.test("the man page's examples use only flags that exist", async () => {
  const text = (await generated("man")).replaceAll("\\-", "-").replaceAll("\\e\n", "");
  const examples = [...text.matchAll(/^ *(?:exec )?acme-lb ([a-z-]+)( [^\n]*)$/mg)];
  assert.ok(examples.length > 10);
  for (const [line, command, words] of examples) {
    assert.ok(Object.hasOwn(help, command!), line);
    for (const [flag] of words!.matchAll(/(?<= )--[a-z-]+/g)) {
      assert.ok(help[command!]!.includes(flag), `${flag} in ${line}`);
    }
  }
});

for (const shell of ["bash", "zsh", "fish"]) {
  Deno.test(`the completion for ${shell} knows every command and flag`, async () => {
    const text = await generated(shell);
    for (const [command, flags] of Object.entries(help)) {
      assert.ok(text.includes(command), command);
      for (const flag of flags) {
        const name = shell === "fish" ? `-l '${flag.slice(2)}'` : flag;
        assert.ok(text.includes(name), `${command} ${flag}`);
      }
    }
  });

  Deno.test({
    name: `${shell} finds no fault with its completion`,
    ignore: lacking({ for: `completion for ${shell}`, programs: [shell] }),
    fn: async () => {
      const file = await Deno.makeTempFile({ prefix: "acme-lb-test-" });
      await Deno.writeTextFile(file, await generated(shell));
      const { code, stderr } = await new Deno.Command(shell, { args: ["-n", file] }).output();
      await Deno.remove(file);
      assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
    },
  });
}

for (const reader of READERS) {
  Deno.test({
    name: `${reader} finds no fault with the man page of acme-lb and shows it`,
    ignore: lacking({ for: `man page by ${reader}`, programs: [reader] }),
    fn: async () => {
      const page = await generated("man");
      assert.deepEqual(await lint(reader, page), []);
      const text = await formatted(reader, page);
      for (const command of Object.keys(help)) {
        assert.match(text, new RegExp(`^ +acme-lb ${command}\\b`, "m"));
      }
      assert.match(text, /^ +--peer address$/m);
    },
  });
}

Deno.test("generate prints the same text each time, and refuses other documents with a list of the valid ones", async () => {
  for (const document of ["man", "bash", "zsh", "fish"]) {
    assert.equal(await generated(document), await generated(document));
  }
  const { code, stderr } = await acmeLb(["generate", "tcsh"]);
  assert.equal(code, 64);
  assert.match(stderr, /'tcsh' is invalid.*allowed choices are man, bash, zsh, fish; see/);
});
