/** The completion for bash, in bash: the words before the cursor in, the candidates out. */

import assert from "node:assert/strict";
import { bashCompletion } from "../../lib/manual/bash_completion.ts";
import { lacking } from "../e2e/requirements.ts";
import { HOSTILE, room, SAMPLE } from "./usage_sample.ts";

const ignore = lacking({ for: "completion for bash", programs: ["bash", "script"] });

// Cuts the line as readline does, and shows what the completion asks of it.
const DRIVER = `
compopt() { printf '<%s>\\n' "$*"; }
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_sample
printf '%s\\n' "\${COMPREPLY[@]}"
`;

/** The candidates for the last of the words, in the order in which they are offered. */
async function complete(...words: string[]): Promise<string[]> {
  await using place = await room({ name: "completion", text: bashCompletion(SAMPLE) });
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: ["--norc", "-uc", DRIVER, "bash", "completion", "sample", ...words],
    cwd: place.path,
  }).output();
  await place.check();
  assert.deepEqual(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

const WORK = ["--config", "--help", "-h", "--kind", "--address", "--dir", "-d"];

const TABLE: [string[], string[]][] = [
  [[""], ["work", "rest"]],
  [["wo"], ["work"]],
  [["x"], []],
  [["-"], ["--config", "--help", "-h"]],
  [["rest", "--"], ["--config", "--help"]],
  [["work", "-"], WORK],
  [["work", "--d"], ["--dir"]],
  [["--config", ""], ["<-o default>"]],
  [["--config", "x", "wo"], ["work"]],
  [["--config", "x", "-"], ["--config", "--help", "-h"]],
  [["--config=x", "re"], ["rest"]],
  [["work", "--config", "="], ["<-o default>"]],
  [["work", "--dir", "/"], ["<-o dirnames>"]],
  [["work", "-d", "/"], ["<-o dirnames>"]],
  [["work", "--address", ""], []],
  [["work", "--kind", ""], HOSTILE],
  [["work", "--kind", "=", "it"], ["it's"]],
  [["work", "--kind", "$("], ["$(touch ran)"]],
  [["work", ""], HOSTILE],
  [["work", "--address", "[", "::", "1]", ":", "80", "it"], ["it's"]],
  [["work", "a", "b", "c"], ["<-o default>"]],
  [["work", "--", "-"], []],
  [["work", "--", "it"], ["it's"]],
  [["rest", ""], []],
];

for (const [words, candidates] of TABLE) {
  Deno.test({
    name: `bash completes ${JSON.stringify(words)}`,
    ignore,
    fn: async () => assert.deepEqual(await complete(...words), candidates),
  });
}

Deno.test({
  name: "bash completes as one types: commands, flags, files",
  ignore,
  fn: async () => {
    await using place = await room({ name: "completion", text: bashCompletion(SAMPLE) });
    // The shell has its own terminal, because readline completes only on one.
    const child = new Deno.Command("script", {
      args: ["-qec", "exec bash --norc --noprofile -i", "/dev/null"],
      cwd: place.path,
      env: { TERM: "dumb", PS1: "", INPUTRC: "/dev/null" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(
      "sample() { printf 'got:%s\\n' \"$*\"; }\n. ./completion\n" +
        "sample wo\t--ki\tit\\'s --config only-fi\t--dir=on\t\nexit\n",
    ));
    await writer.close();
    const { stdout } = await child.output();
    const lines = new TextDecoder().decode(stdout).replaceAll("\r", "");
    assert.match(lines, /^got:work --kind it's --config only-file --dir=only-folder\/$/m);
  },
});
