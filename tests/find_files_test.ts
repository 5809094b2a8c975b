import assert from "node:assert/strict";
import { boundFiles } from "../lib/bounded_files.ts";
import { findFiles, type Found, missingProblem } from "../lib/find_files.ts";
import { temporaryFolder } from "./temporary_folder.ts";

/** Runs the job in a new directory; a final slash creates a directory, `->` a link. */
async function inTree(
  entries: string[],
  job: (
    at: (name: string) => string,
    find: (...names: string[]) => Promise<Found>,
  ) => Promise<void>,
  exclude: string[] = [],
): Promise<void> {
  await using folder = await temporaryFolder();
  const root = folder.path;
  const at = (name: string) => name === "" ? root : `${root}/${name}`;
  for (const entry of entries) {
    const [name, target] = entry.split(" -> ") as [string, string?];
    if (target !== undefined) await Deno.symlink(target, at(name));
    else if (name.endsWith("/")) await Deno.mkdir(at(name), { recursive: true });
    else await Deno.writeTextFile(at(name), "x");
  }
  const leaveOut = (name: string) => name.startsWith(".") ? { note: "hidden" } : undefined;
  const strip = (text: string) => text.replaceAll(`${root}/`, "").replaceAll(root, "ROOT");
  await job(at, async (...names) => {
    const { files, notes } = await findFiles(names.map(at), {
      ...{ files: boundFiles(), leaveOut },
      exclude: exclude.map((pattern) => pattern.replace("ROOT", root)),
    });
    return {
      files: files.map((file) => ({
        ...file,
        path: strip(file.path),
        ...file.problem === undefined ? {} : { problem: strip(file.problem) },
      })),
      notes: notes.map(strip),
    };
  });
}

const met = (path: string) => ({ path, met: true });
const named = (path: string) => ({ path, met: false });

Deno.test("findFiles() lists the files below a directory in a fixed order, and notes what it leaves out", async () => {
  await inTree(
    ["b", "a", "sub/", "sub/c", "sub/deep/", "sub/deep/d", ".hidden/", ".hidden/x", "sub/.x", "B"],
    async (_, find) => {
      assert.deepEqual(await find(""), {
        files: ["B", "a", "b", "sub/c", "sub/deep/d"].map(met),
        notes: [".hidden: hidden", "sub/.x: hidden"],
      });
      assert.deepEqual(await find("sub/", "a", "sub", "sub/c", ".hidden/x"), {
        files: [met("sub/c"), met("sub/deep/d"), named("a"), named(".hidden/x")],
        notes: ["sub/.x: hidden"],
      });
    },
  );
});

Deno.test("findFiles() follows each link once, and names broken ones", async () => {
  await inTree(
    [
      "dir/",
      "dir/a",
      "dir/up -> ..",
      "link -> dir",
      "file -> dir/a",
      "gone -> nowhere",
      "one -> two",
      "two -> one",
    ],
    async (_, find) => {
      const loop = "cannot be read: its symbolic links form a loop (ELOOP)";
      assert.deepEqual(await find(""), {
        files: [
          met("dir/a"),
          met("file"),
          {
            path: "gone",
            met: true,
            problem: "is a symbolic link to nowhere, which does not exist",
          },
          { path: "one", met: true, problem: loop },
          { path: "two", met: true, problem: loop },
        ],
        notes: [
          "dir/up: leads to a directory that is checked already",
          "link: leads to a directory that is checked already",
        ],
      });
      assert.deepEqual((await find("link")).files.slice(0, 1), [met("link/a")]);
    },
  );
});

Deno.test("findFiles() has a problem for each path that cannot be read, and opens no pipe", async () => {
  await inTree(["empty/", "quiet/", "quiet/.x", "a"], async (at, find) => {
    const fifo = await new Deno.Command("mkfifo", { args: [at("pipe")] }).output();
    assert.ok(fifo.success);
    const problems = async (...names: string[]) =>
      (await find(...names)).files.map(({ path, problem }) => `${path}: ${problem}`);
    assert.deepEqual(await problems("empty"), ["empty: no file to check is in it"]);
    assert.deepEqual(await problems("quiet"), ["quiet: no file to check is in it"]);
    assert.deepEqual(await problems("pipe"), [
      "pipe: is a pipe, socket or device; it was not opened",
    ]);
    assert.deepEqual(await problems("missing"), ["missing: there is no such file"]);
    assert.deepEqual(await problems("a/b"), [
      "a/b: cannot be read: a part of its path is not a directory (ENOTDIR)",
    ]);
    assert.deepEqual(await problems("*.pem", "x/*"), [
      "*.pem: no file to check fits this pattern",
      "x/*: no file to check fits this pattern",
    ]);
    const device = await findFiles(["/dev/null"], {
      files: boundFiles(),
      leaveOut: () => undefined,
    });
    assert.match(device.files[0]!.problem!, /device/);
  });
});

Deno.test("findFiles takes patterns in every part of a path, and a name as well as the pattern that it is", async () => {
  await inTree(
    ["a/", "a/x.pem", "b/", "b/x.pem", "b/y.pem", ".c/", ".c/x.pem", "d.pem", "[ab]/", "[ab]/z"],
    async (_, find) => {
      const paths = async (...names: string[]) =>
        (await find(...names)).files.map(({ path }) => path);
      assert.deepEqual(await paths("*/x.pem"), ["a/x.pem", "b/x.pem"]);
      assert.deepEqual(await paths("b/*.pem"), ["b/x.pem", "b/y.pem"]);
      assert.deepEqual(await paths("?"), ["a/x.pem", "b/x.pem", "b/y.pem"]);
      assert.deepEqual(await paths("[ab]"), ["[ab]/z", "a/x.pem", "b/x.pem", "b/y.pem"]);
      assert.deepEqual(await paths("[ab]/x.pem"), ["a/x.pem", "b/x.pem"]);
      assert.deepEqual(await paths("*/y.pem", "b/y.pem"), ["b/y.pem"]);
      const { files, notes } = await find("*");
      assert.equal(files.length, 5);
      assert.deepEqual(notes, []);
    },
  );
});

Deno.test("findFiles sees a file that has a pattern for its name, and what the pattern fits", async () => {
  const entries = [
    "*.example.pem",
    "a.example.pem",
    "b",
    "[x].pem",
    "x.pem",
    "?",
    "d/",
    "d/*",
    "d/e",
  ];
  const table: Record<string, string[]> = {
    "*.example.pem": ["*.example.pem", "a.example.pem"],
    "[x].pem": ["[x].pem", "x.pem"],
    "?": ["?", "b", "d/*", "d/e"],
    "d/*": ["d/*", "d/e"],
    "d/[*]": ["d/*"],
    "*/e": ["d/e"],
  };
  await inTree(entries, async (_, find) => {
    for (const [pattern, paths] of Object.entries(table)) {
      assert.deepEqual((await find(pattern)).files.map(({ path }) => path), paths, pattern);
    }
  });
});

Deno.test("findFiles takes ** for any number of directories, and follows no link below it", async () => {
  const entries = ["a.crt", "x/a.crt", "x/y/z/a.crt", "x/y/b.pem", ".h/a.crt", "link -> x/y"];
  const directories = ["x/", "x/y/", "x/y/z/", ".h/"];
  const table: Record<string, string[]> = {
    "**/*.crt": ["a.crt", "x/a.crt", "x/y/z/a.crt"],
    "x/**/a.crt": ["x/a.crt", "x/y/z/a.crt"],
    "**/y/**/*.crt": ["x/y/z/a.crt"],
    "**/b.pem": ["x/y/b.pem"],
    "x/**": ["x/a.crt", "x/y/b.pem", "x/y/z/a.crt"],
    "**/**/a.crt": ["a.crt", "x/a.crt", "x/y/z/a.crt"],
    ".h/**/*": [".h/a.crt"],
  };
  await inTree([...directories, ...entries], async (_, find) => {
    for (const [pattern, paths] of Object.entries(table)) {
      assert.deepEqual((await find(pattern)).files.map(({ path }) => path).sort(), paths, pattern);
    }
    const [none] = (await find("**/*.none")).files;
    assert.equal(none!.problem, "no file to check fits this pattern");
  });
});

Deno.test("findFiles() leaves out excluded paths, found or named, and notes them", async () => {
  const entries = [
    "a.pem",
    "a.bak",
    "old/",
    "old/b.pem",
    "new/",
    "new/old/",
    "new/old/c.pem",
    "new/d.pem",
  ];
  const table: [exclude: string[], paths: string[]][] = [
    [["*.bak"], ["a.pem", "new/d.pem", "new/old/c.pem", "old/b.pem"]],
    [["*.bak", "old"], ["a.pem", "new/d.pem"]],
    [["*.bak", "ROOT/old"], ["a.pem", "new/d.pem", "new/old/c.pem"]],
    [["ROOT/**/*.bak", "ROOT/**/c.pem"], ["a.pem", "new/d.pem", "old/b.pem"]],
    [["[!d]*"], []],
    [["*.pem"], ["a.bak"]],
  ];
  for (const [exclude, paths] of table) {
    await inTree(entries, async (_, find) => {
      const { files } = await find("new", "old/b.pem", "a.pem", "a.bak", "old");
      const good = files.filter(({ problem }) => problem === undefined);
      assert.deepEqual(good.map(({ path }) => path).sort(), paths, exclude.join(" "));
    }, exclude);
  }
  await inTree(entries, async (_, find) => {
    assert.deepEqual(await find("a.bak", "new/old"), {
      files: [],
      notes: ["a.bak: excluded", "new/old: excluded"],
    });
  }, ["*.bak", "old"]);
});

Deno.test("missingProblem() says how to give an endpoint", () => {
  const hint = "there is no such file; HOST:PORT is given with --connect";
  for (const endpoint of ["lb.example:443", "192.0.2.1:443", "[2001:db8::1]:443", "lb:8443"]) {
    assert.equal(missingProblem(endpoint), hint);
  }
  for (const path of ["/etc/a:443", "a.pem", "a:b", "./lb:443", "lb:443443"]) {
    assert.equal(missingProblem(path), "there is no such file", path);
  }
});
