/**
 * compile.ts from a copy of the tree: what a build gives does not depend on where or when it is
 * made, in either form.
 */

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { PERMISSIONS } from "../compile/run_flags.ts";
import { tryOut } from "../compile/try_out.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";
import denoJson from "../deno.json" with { type: "json" };

const ROOT = new URL("..", import.meta.url).pathname;

const FOREIGN = Deno.build.arch === "x86_64"
  ? "aarch64-unknown-linux-gnu"
  : "x86_64-unknown-linux-gnu";

interface Built {
  /** Where all of it lies. */
  dist: string;
  executable: Uint8Array;
  /** What the build says of it. */
  said: string;
  /** The files in its directory, by name. */
  texts: Record<string, string>;
}

interface BuildOptions {
  /** The name of the checkout. */
  tree?: string;
  env?: Record<string, string>;
  target?: string;
}

/** Builds in a copy of the tree below `folder`. */
async function build(folder: string, options: BuildOptions = {}): Promise<Built> {
  const { tree = "checkout", env, target } = options;
  const root = `${folder}/${tree}`;
  const dist = `${root}/dist`;
  await Deno.mkdir(dist, { recursive: true });
  const sources = ["main.ts", "lib", "deno.json", "deno.lock", "compile.ts", "compile"];
  await run("cp", ["-r", ...sources.map((source) => ROOT + source), root]);
  // Compressing the runtime takes most of the time and is not tested here.
  for await (const { name } of Deno.readDir(`${ROOT}dist`)) {
    if (/^runtime-\w+\.gz$/.test(name)) {
      await Deno.copyFile(`${ROOT}dist/${name}`, `${dist}/${name}`);
    }
  }
  const args = [
    "run",
    "--allow-all",
    "compile.ts",
    ...target === undefined ? [] : ["--target", target],
  ];
  const said = await run(Deno.execPath(), args, { cwd: root, env });
  const name = target === undefined ? "acme-lb" : `acme-lb-${target}`;
  const texts: Record<string, string> = {};
  for (const text of [`${name}.cdx.json`, "SHA256SUMS"]) {
    texts[text] = await Deno.readTextFile(`${dist}/${text}`);
  }
  return { dist, executable: await Deno.readFile(`${dist}/${name}`), said, texts };
}

async function run(program: string, args: string[], options: Deno.CommandOptions = {}) {
  const { success, stderr } = await new Deno.Command(program, { args, ...options }).output();
  const said = new TextDecoder().decode(stderr);
  assert.ok(success, said);
  return said;
}

Deno.test("compile makes the executable, its digests and its parts list", (t) =>
  inTemporaryFolder(async (folder) => {
    const first = await build(folder, { tree: "one" });

    await t.step("of at most 45 MB when it carries the runtime", () => {
      const carrying = first.executable[0] === "#".charCodeAt(0);
      assert.ok(
        !carrying || first.executable.length <= 45e6,
        `${first.executable.length} bytes`,
      );
    });

    await t.step("the same in another directory", async () => {
      const second = await build(folder, { tree: "other/with a longer name" });
      assert.ok(Buffer.from(first.executable).equals(second.executable));
      assert.deepEqual(first.texts, second.texts);
      const texts = [...Object.values(first.texts), textOf(first.executable.slice(0, 20480))];
      for (const text of texts) assert.ok(!text.includes(folder), "tells where it was built");
    });

    await t.step("with digests that sha256sum agrees with, and nothing else left", async () => {
      const { dist, texts } = first;
      await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: dist });
      assert.deepEqual(summed(texts), ["acme-lb", "acme-lb.cdx.json"]);
      const left = await Array.fromAsync(Deno.readDir(dist), ({ name }) => name);
      assert.deepEqual(
        left.filter((name) => !name.startsWith("runtime-")).toSorted(),
        [".lock", "SHA256SUMS", "acme-lb", "acme-lb.cdx.json"],
      );
    });

    await t.step("with each package of deno.lock, those of the tests as excluded", async () => {
      const sbom = JSON.parse(first.texts["acme-lb.cdx.json"]!);
      assert.deepEqual([sbom.bomFormat, sbom.specVersion, sbom.version], ["CycloneDX", "1.5", 1]);
      assert.equal(sbom.metadata.component.version, denoJson.version);
      const lock = JSON.parse(await Deno.readTextFile(`${ROOT}deno.lock`));
      const wanted = Object.entries<{ integrity: string }>(lock.npm).map(([id, { integrity }]) => {
        const content = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
        return { purl: `pkg:npm/${id}`, hashes: [{ alg: "SHA-512", content }] };
      });
      const [runtime, ...libraries] = sbom.components;
      assert.deepEqual(
        libraries.map(({ purl, hashes }: typeof wanted[number]) => ({ purl, hashes })),
        wanted.toSorted((a, b) => a.purl < b.purl ? -1 : 1),
      );
      assert.deepEqual([runtime.name, runtime.version], ["deno", Deno.version.deno]);
      for (const { name, scope, licenses } of sbom.components) {
        // Of these nothing is in the executable.
        const forTests = ["axe-core", "echarts", "fast-check", "pure-rand", "tslib", "zrender"];
        assert.equal(scope, forTests.includes(name) ? "excluded" : "required", name);
        const allowed = name === "axe-core"
          ? /^MPL-2\.0$/
          : /^(MIT|ISC|BSD-3-Clause|0BSD|Apache-2\.0)$/;
        assert.match(licenses[0].license.id, allowed, name);
      }
    });
  }));

Deno.test("compile embeds the modules and permissions in the base binary that DENORT_BIN names", () =>
  inTemporaryFolder(async (folder) => {
    // Any ELF file can be used for the embedding, and a file for another machine is not run.
    const options = { env: { DENORT_BIN: await Deno.realPath("/bin/true") }, target: FOREIGN };
    const [first, second] = [await build(folder, options), await build(folder, options)];
    assert.ok(Buffer.from(first.executable).equals(second.executable));
    const text = textOf(first.executable);
    checkPermissions(text);
    // The graph: each module under its name, and texts of the first, a command's and a shared one.
    for (
      const module of ["main.js", "serve.js", "assemble_pem.js", "shared_1.js"]
    ) {
      assert.ok(text.includes(module), module);
    }
    for (const words of ["Let's Encrypt HTTP-01", "Transaction created for", "X-Content-Type"]) {
      assert.ok(text.includes(words), words);
    }
    const metadata = /"v8_flags":(\[[^\]]*\])/.exec(text)![1]!;
    assert.deepEqual(
      JSON.parse(metadata).slice(-2),
      ["--max-semi-space-size=4", "--heap-growing-percent=20"],
    );
    assert.doesNotMatch(
      first.texts[`acme-lb-${FOREIGN}.cdx.json`]!,
      /"SHA-256"/,
      "the runtime is not Deno itself",
    );
  }));

Deno.test("the output of deno compile is tested, and replaced by the carrying form if it fails", () =>
  inTemporaryFolder(async (folder) => {
    const script = (lines: string) => `#!/bin/sh\n${lines}\n`;
    // Each works a little further: it says something else, it has no configuration, it only listens.
    const version = `[ "$1" = --version ] && { echo "acme-lb ${denoJson.version} (x)"; exit; }`;
    const check = `[ "$1" = check-config ] && exit\n`;
    const listening = "echo event=listening role=challenge address=127.0.0.1:2 >&2; exec sleep 60";
    const table: [base: string, reason: RegExp][] = [
      [script("echo deno 1.0"), /its --version says "deno 1\.0\\n"/],
      [script("exit 70"), /--version ends with 70/],
      [script(`${version}\necho broken >&2; exit 5`), /check-config ends with 5: broken/],
      [script(`${version}\n${check}exit 1`), /challenge-server does not listen/],
      [script(`${version}\n${check}${listening}`), /refused/i],
    ];
    for (const [base, reason] of table) {
      await Deno.writeTextFile(`${folder}/executable`, base, { mode: 0o755 });
      assert.match(await tryOut(`${folder}/executable`) ?? "it works", reason);
    }
    // A script cannot be a base binary, but the modules can be embedded in any ELF file.
    const env = { DENORT_BIN: await Deno.realPath("/bin/true") };
    const { executable, said } = await build(folder, { env });
    assert.equal(textOf(executable.slice(0, 2)), "#!");
    assert.match(said, /carrying form because what deno compile made does not work here: its --v/);
    assert.equal(await tryOut(`${folder}/checkout/dist/acme-lb`), undefined);
  }));

Deno.test("compile makes an executable for another machine beside the one for this", () =>
  inTemporaryFolder(async (folder) => {
    const env = { DENORT_BIN: await Deno.realPath("/bin/true") };
    const target = FOREIGN;
    await build(folder);
    const { dist, executable, texts } = await build(folder, { env, target });
    checkPermissions(textOf(executable));
    await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: dist });
    const both = ["acme-lb", `acme-lb-${target}`].flatMap((name) => [name, `${name}.cdx.json`]);
    assert.deepEqual(summed(texts), both.toSorted());
  }));

/** The names that SHA256SUMS holds. */
function summed(texts: Built["texts"]): string[] {
  return texts["SHA256SUMS"]!.trim().split("\n").map((line) => line.split("  ")[1]!);
}

/** What is baked in, read from the JSON within the executable. */
function checkPermissions(text: string): void {
  const permissions = JSON.parse(text.match(/"permissions":(\{[^{}]*\})/)![1]!);
  assert.deepEqual(
    {
      net: permissions.allow_net,
      read: permissions.allow_read,
      write: permissions.allow_write,
      env: permissions.allow_env,
      sys: permissions.allow_sys,
      run: permissions.allow_run,
      ffi: permissions.allow_ffi,
      import: permissions.deny_import,
      prompt: permissions.prompt,
    },
    {
      net: [], // an empty list allows all, null nothing
      read: [],
      write: [],
      env: PERMISSIONS.env,
      sys: [],
      run: null,
      ffi: null,
      import: [],
      prompt: false,
    },
  );
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

Deno.test("compile fails when the base binary that DENORT_BIN names is missing", () =>
  inTemporaryFolder(async (folder) => {
    await assert.rejects(
      build(folder, { env: { DENORT_BIN: `${folder}/none` } }),
      /Could not find denort/,
    );
  }));

Deno.test("compile refuses unknown arguments with its usage", async () => {
  for (const args of [["--targe", "x"], ["--target"], ["x"], ["--target", "a", "b"]]) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", `${ROOT}compile.ts`, ...args],
    }).output();
    assert.equal(code, 64, args.join(" "));
    assert.equal(textOf(stderr), "acme-lb: usage: deno task compile [--target TRIPLE]\n");
  }
});
