/** The completion for zsh, found by compinit, in an interactive zsh with its own terminal. */

import assert from "node:assert/strict";
import { stripVTControlCharacters } from "node:util";
import { zshCompletion } from "../../lib/manual/zsh_completion.ts";
import { lacking } from "../e2e/requirements.ts";
import { HOSTILE, room, SAMPLE } from "./usage_sample.ts";

const ignore = lacking({ for: "completion for zsh", programs: ["zsh"] });

// Types each line and a tab, and prints what stands on the terminal then, the line in braces.
const DRIVER = String.raw`
zmodload zsh/zpty
zpty shell zsh -f -i
until_seen() { local seen; zpty -r -m shell seen "*$1*"; print -r -- "$seen"; }
zpty -w shell "PS1=; stty columns 400; LISTMAX=1000; fpath=($PWD \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell "show-end() { print -r -- \"{\$BUFFER}\"'<'END'>' }; zle -N show-end; bindkey '^X' show-end; bindkey '^I' complete-word"
zpty -w shell "print REA'DY'"
until_seen READY >/dev/null
for line; do
  zpty -w -n shell "$line"$'\t\x18'
  until_seen '<END>'
  print
  print -- '<NEXT>'
  zpty -w -n shell $'\x15'
done
zpty -d shell
`;

/** For each line, what zsh shows when tab is pressed at its end. */
async function complete(lines: string[]): Promise<string[]> {
  await using place = await room({ name: "_sample", text: zshCompletion(SAMPLE) });
  const { stdout, stderr } = await new Deno.Command("zsh", {
    args: ["-f", "-c", DRIVER, "zsh", ...lines],
    cwd: place.path,
    env: { TERM: "xterm", HOME: `${place.path}/only-folder` },
    signal: AbortSignal.timeout(60_000),
  }).output();
  await place.check();
  const text = new TextDecoder();
  const shown = stripVTControlCharacters(text.decode(stdout)).split("<NEXT>").slice(0, -1);
  assert.ok(shown.length === lines.length, text.decode(stderr));
  return shown;
}

const TABLE: [line: string, ...shown: string[]][] = [
  ["sample ", "work  --", "rest  -- rests"],
  ["sample wo", "{sample work }"],
  ["sample --conf", "{sample --config=}"],
  ["sample --config x re", "{sample --config x rest }"],
  ["sample work --", "--address", "--config", "--dir", "--help", "--kind"],
  ["sample work --ki", "{sample work --kind=}"],
  ["sample work --kind=it", String.raw`{sample work --kind=it\'s }`],
  ["sample work --dir on", "{sample work --dir only-folder/}"],
  ["sample work it", String.raw`{sample work it\'s }`],
  ["sample work x only-fi", "{sample work x only-file }"],
  ["sample rest --con", "{sample rest --config=}"],
];

Deno.test({
  name: "zsh completes commands, flags, choices and files, and shows descriptions as they are",
  ignore,
  fn: async () => {
    const shown = await complete([...TABLE.map(([line]) => line), "sample work --kind "]);
    for (const [index, [line, ...expected]] of TABLE.entries()) {
      for (const text of expected) {
        assert.ok(shown[index]!.includes(text), `${line}: ${text} in ${shown[index]}`);
      }
    }
    assert.ok(shown[4]!.includes(HOSTILE.join(" ")), shown[4]);
    assert.ok(shown[0]!.includes(HOSTILE.join(" ")), shown[0]);
    // Shown as they would be typed.
    const choices = shown.at(-1)!.replace(/\\(.)/g, "$1");
    for (const choice of HOSTILE) assert.ok(choices.includes(choice), `${choice} in ${choices}`);
  },
});
