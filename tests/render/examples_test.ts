/** examples/ holds what render prints, and configurations that mean what they say. */

import assert from "node:assert/strict";
import { describeConfig } from "../../lib/config/describe.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { doubtsOf } from "../../lib/config/warnings.ts";
import { faultsOf, KINDS } from "../../lib/render/kinds.ts";
import { parseYaml } from "../../lib/yaml.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url).pathname;
const ARTICLE = `${EXAMPLES}article`;

const load = async (path: string) => parseConfig(await Deno.readTextFile(path), path);

/** Every file below a directory: path from there, text, mode. */
async function tree(directory: string, path = ""): Promise<Map<string, [string, number]>> {
  const files = new Map<string, [string, number]>();
  for await (const { name, isDirectory } of Deno.readDir(directory + path)) {
    const below = `${path}/${name}`;
    if (isDirectory) { for (const entry of await tree(directory, below)) files.set(...entry); }
    else {
      const { mode } = await Deno.stat(directory + below);
      files.set(below, [await Deno.readTextFile(directory + below), mode! & 0o777]);
    }
  }
  return files;
}

Deno.test("examples/article is what render writes for its configuration, and no more", async () => {
  const config = await load(`${ARTICLE}/config.yaml`);
  // lego needs an address for its account, and an example must not have somebody's.
  const kinds = Object.values(KINDS).filter((kind) => faultsOf(kind, config).length === 0);
  const places = [
    ...Object.keys(config.cluster.nodes).map((node) => ({
      place: node,
      files: kinds.filter(({ differs }) => differs).flatMap((kind) => kind.files(config, { node })),
    })),
    {
      place: "all",
      files: kinds.filter(({ differs }) => !differs).flatMap((kind) =>
        kind.files(config, { node: "" })
      ),
    },
  ];
  for (const { place, files } of places) {
    const expected = files.map(({ path, text, mode = 0o644 }) => [path, [text, mode]] as const);
    assert.deepEqual(await tree(`${ARTICLE}/${place}`), new Map(expected), place);
  }
});

Deno.test("the article's configurations can be rendered without warnings", async () => {
  for (const name of ["config", "ipv4-only", "ipv6-only"]) {
    const config = await load(`${ARTICLE}/${name}.yaml`);
    assert.deepEqual(doubtsOf(config, []), []);
    assert.equal(config.peers.length, Object.keys(config.cluster.nodes).length);
    for (const kind of Object.values(KINDS)) {
      assert.ok(kind.files(config, { node: "lb0" }).length > 0, name);
    }
    const addresses = Object.values(config.cluster.nodes).flat()
      .concat(config.cluster.virtual_addresses.map(({ address }) => address));
    const families = new Set(addresses.map((address) => address.includes(":") ? 6 : 4));
    const expected = { "config": [6, 4], "ipv4-only": [4], "ipv6-only": [6] }[name];
    assert.deepEqual([...families], expected, name);
  }
});

Deno.test("examples/config.yaml has every key with its default", async () => {
  const text = await Deno.readTextFile(`${EXAMPLES}config.yaml`);
  assert.deepEqual(parseConfig(text, "config.yaml"), parseConfig("", "config.yaml"));
  const keys = (value: unknown, path = ""): string[] =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, below]) => [
        `${path}.${key}`,
        ...keys(below, `${path}.${key}`),
      ])
      : [];
  const described = describeConfig(parseConfig("", "config.yaml"));
  assert.deepEqual(keys(parseYaml(text).value).sort(), keys(described).sort());
});
