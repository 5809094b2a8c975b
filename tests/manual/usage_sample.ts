/** A command line whose every text would do something in a shell or in roff, were it not escaped. */

import assert from "node:assert/strict";
import type { Usage } from "../../lib/usage.ts";

/** None of them may run, vanish or change on its way. */
export const HOSTILE = [
  "$(touch ran)",
  "`touch ran`",
  "it's",
  'say "so"',
  "back\\slash",
  "[brackets]:colons",
  "a;touch${IFS}ran",
  "*",
  "(touch ran)",
];

export const SAMPLE: Usage = {
  name: "sample",
  description: "A sample.",
  flags: [
    flag("--config", { placeholder: "file", takes: "file" }),
    { ...flag("--help"), short: "-h" },
  ],
  commands: [
    {
      name: "work",
      summary: HOSTILE.join(" "),
      synopsis: "[options] <what> [path...]",
      operands: [
        {
          value: { placeholder: "what", takes: "text", choices: HOSTILE },
          variadic: false,
          description: "what",
        },
        {
          value: { placeholder: "path", takes: "file", choices: [] },
          variadic: true,
          description: "paths",
        },
      ],
      flags: [
        { ...flag("--kind", { placeholder: "kind", takes: "text", choices: HOSTILE }) },
        { ...flag("--address", { placeholder: "address", takes: "text" }) },
        { ...flag("--dir", { placeholder: "dir", takes: "directory" }), short: "-d" },
      ],
      notes: `${HOSTILE.join(" ")}\n\nExamples:\n${HOSTILE.map((text) => `  ${text}`).join("\n")}`,
    },
    { name: "rest", summary: "rests", synopsis: "[options]", operands: [], flags: [], notes: "" },
  ],
};

function flag(
  long: string,
  value?: { placeholder: string; takes: "file" | "directory" | "text"; choices?: string[] },
): Usage["flags"][number] {
  return {
    short: undefined,
    long,
    value: value && { choices: [], ...value },
    description: HOSTILE.join(" "),
    heading: "Options:",
  };
}

export interface Room extends AsyncDisposable {
  path: string;
  /** Fails when some text was run as a command. */
  check(): Promise<void>;
}

/** A directory with the file `only-file` and the directory `only-folder`, to be completed. */
export async function room(completion: { name: string; text: string }): Promise<Room> {
  const path = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
  await Deno.writeTextFile(`${path}/${completion.name}`, completion.text);
  await Deno.writeTextFile(`${path}/only-file`, "");
  await Deno.mkdir(`${path}/only-folder`);
  return {
    path,
    async check() {
      const names = await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
      assert.ok(!names.includes("ran"), "something ran");
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}
