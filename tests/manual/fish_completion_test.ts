/** The completion for fish, asked of fish itself. */

import assert from "node:assert/strict";
import { fishCompletion } from "../../lib/manual/fish_completion.ts";
import { lacking } from "../e2e/requirements.ts";
import { HOSTILE, room, SAMPLE } from "./usage_sample.ts";

const ignore = lacking({ for: "completion for fish", programs: ["fish"] });

/** What fish offers at the end of the line: candidates with their descriptions. */
async function complete(line: string): Promise<string[][]> {
  await using place = await room({ name: "completion", text: fishCompletion(SAMPLE) });
  const home = `${place.path}/only-folder`;
  const { stdout, stderr } = await new Deno.Command("fish", {
    args: ["--no-config", "-c", "source completion; complete -C $argv[1]", line],
    cwd: place.path,
    env: { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, TERM: "dumb" },
  }).output();
  await place.check();
  assert.deepEqual(new TextDecoder().decode(stderr), "");
  const lines = new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
  return lines.map((line) => line.split("\t"));
}

const TABLE: [line: string, candidates: string[]][] = [
  ["sample ", ["rest", "work"]],
  ["sample wo", ["work"]],
  ["sample --config x re", ["rest"]],
  ["sample --config=x re", ["rest"]],
  ["sample -", ["--config", "--help", "-h"]],
  ["sample work --", ["--address", "--config", "--dir", "--help", "--kind"]],
  ["sample rest --", ["--config", "--help"]],
  ["sample work --address ", []],
  ["sample work --kind ", HOSTILE],
  ["sample work ", HOSTILE],
  ["sample work --address x --dir=. ", HOSTILE],
  ["sample work --config only-fi", ["only-file"]],
  ["sample work --dir on", ["only-folder/"]],
  ["sample work --dir only-fi", []],
  ["sample work -d on", ["only-folder/"]],
  ["sample work a only-fi", ["only-file"]],
  ["sample rest ", []],
];

for (const [line, candidates] of TABLE) {
  Deno.test({
    name: `fish completes ${JSON.stringify(line)}`,
    ignore,
    fn: async () => {
      const offered = (await complete(line)).map(([candidate]) => candidate!);
      assert.deepEqual(offered.toSorted(), candidates.toSorted());
    },
  });
}

Deno.test({
  name: "fish shows a description as it is",
  ignore,
  fn: async () => {
    assert.deepEqual(await complete("sample wor"), [["work", HOSTILE.join(" ")]]);
  },
});
