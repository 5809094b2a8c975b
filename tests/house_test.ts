/** The rules of the house: which room may know which, and what stands where. */

import assert from "node:assert/strict";

const ROOT = new URL("..", import.meta.url).pathname;

interface Source {
  /** Below lib/ or tests/, such as `http/answer.ts`. */
  path: string;
  text: string;
  imports: string[];
}

async function sources(top: string, directory = ""): Promise<Source[]> {
  const found: Source[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${top}/${directory}`)) {
    const path = `${directory}${name}`;
    if (isDirectory) found.push(...await sources(top, `${path}/`));
    else if (name.endsWith(".ts")) {
      const text = await Deno.readTextFile(`${ROOT}${top}/${path}`);
      const imports = [...text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map((match) =>
        match[1]!
      );
      found.push({ path, text, imports });
    }
  }
  return found.sort((a, b) => a.path.localeCompare(b.path));
}

const SOURCES = await sources("lib");
const room = ({ path }: Source) => path.includes("/") ? path.split("/")[0]! : "shelf";

/** The room that a relative import leads to; undefined for packages and built-ins. */
function roomOf(source: Source, target: string): string | undefined {
  if (!target.startsWith(".")) return undefined;
  const url = new URL(target, `file:///lib/${source.path}`).pathname;
  if (!url.startsWith("/lib/")) return "top";
  const parts = url.split("/");
  return parts.length > 3 ? parts[2]! : "shelf";
}

/** All imports that break a rule, as `file -> import`. */
function breaches(breaks: (from: string, to: string, target: string) => boolean): string[] {
  return SOURCES.flatMap((source) =>
    source.imports.flatMap((target) => {
      const to = roomOf(source, target);
      return to !== undefined && breaks(room(source), to, target)
        ? [`lib/${source.path} -> ${target}`]
        : [];
    })
  );
}

/** Which rooms each room may import besides itself and the shelf; the commands may import all. */
const ALLOWED: Record<string, string[]> = {
  http: [],
  cert: [],
  expiry: ["cert", "haproxy"],
  haproxy: [],
  clients: [],
  self_test: ["http", "config"],
  render: ["config"],
  config: [],
  manual: ["clients"],
  status: ["http", "expiry", "config"],
  shelf: [],
};

Deno.test("each room imports only the rooms that it may import", () => {
  assert.deepEqual(
    breaches((from, to) =>
      from !== "commands" && to !== from && to !== "shelf" && to !== "top" &&
      !(ALLOWED[from] ?? []).includes(to)
    ),
    [],
  );
});

Deno.test("lib has no circular imports", () => {
  const targets = new Map(SOURCES.map((source) => [
    source.path,
    source.imports.filter((target) => target.startsWith("."))
      .map((target) =>
        new URL(target, `file:///lib/${source.path}`).pathname.slice("/lib/".length)
      ),
  ]));
  const reaches = (from: string, wanted: string, seen = new Set<string>()): boolean =>
    (targets.get(from) ?? []).some((to) => {
      if (to === wanted) return true;
      if (seen.has(to)) return false;
      seen.add(to);
      return reaches(to, wanted, seen);
    });
  assert.deepEqual([...targets.keys()].filter((path) => reaches(path, path)), []);
});

Deno.test("the shelf imports only the shelf, and the version in deno.json", () => {
  assert.deepEqual(
    breaches((from, to, target) => from === "shelf" && to !== "shelf" && target !== "../deno.json"),
    [],
  );
});

Deno.test("lib/cert and lib/render use no files, no network and no clock", () => {
  const found = SOURCES.filter((source) => ["cert", "render"].includes(room(source)))
    .filter(({ text }) => /\bDeno\.|Date\.now|new Date\(\)|performance\.now/.test(text));
  assert.deepEqual(found.map(({ path }) => path), []);
});

Deno.test("lib/self_test asks only the DNS itself, and peers through lib/http", () => {
  const found = SOURCES.filter((source) => room(source) === "self_test")
    .filter(({ text }) => /\bDeno\.|Date\.now|new Date\(\)|performance\.now/.test(text));
  assert.deepEqual(found.map(({ path }) => path), ["self_test/resolve_names.ts"]);
});

Deno.test("no basename occurs twice in lib", () => {
  const names = SOURCES.map(({ path }) => path.split("/").at(-1)!);
  assert.deepEqual(names.filter((name, i) => names.indexOf(name) < i), []);
});

Deno.test("no name is exported twice in lib", () => {
  const names = SOURCES.flatMap(({ text }) => {
    const declared = text.matchAll(
      /^export (?:abstract |async )*(?:class|const|function\*?|interface|let|type) (\w+)/gm,
    );
    const listed = text.matchAll(/^export (?:type )?\{([^}]*)\}/gm);
    return new Set([
      ...declared.map((match) => match[1]!),
      ...listed.flatMap((match) =>
        match[1]!.split(",").map((one) => one.trim().split(" ").at(-1)!).filter(Boolean)
      ),
    ]).values().toArray();
  });
  assert.ok(names.length > 500, `${names.length} names`);
  assert.deepEqual(names.filter((name, i) => names.indexOf(name) < i), []);
});

Deno.test("each package is used in one file", () => {
  for (const name of ["commander", "yaml", "valibot"]) {
    const users = SOURCES.filter(({ imports }) => imports.includes(name)).map(({ path }) => path);
    assert.deepEqual(users.length, 1, `${name}: ${users}`);
  }
});

Deno.test("lib loads no Node module at start: each takes 10 to 50 ms", () => {
  const found = SOURCES.filter(({ text }) =>
    /^(?:import|export)\b[^;]*\bfrom "node:|^import "node:/m.test(text)
  );
  assert.deepEqual(found.map(({ path }) => path), []);
});

Deno.test("nothing in lib uses what fails on a hostile port 80, exports a default or prints past the log", () => {
  const forbidden: [string, RegExp][] = [
    ["fetch", /\bfetch\(/],
    ["Deno.serve", /Deno\.serve\(/],
    ["node:http", /"node:https?"/],
    ["export default", /^export default/m],
    ["console", /\bconsole\./],
    ["exit in depth", /Deno\.exit/],
    ["subprocesses", /Deno\.Command|node:child_process/],
  ];
  for (const [name, pattern] of forbidden) {
    const users = SOURCES.filter(({ text }) => pattern.test(text)).map(({ path }) => path);
    assert.deepEqual(users, [], name);
  }
});

Deno.test("tests that change their whole process are in tests/alone: others share theirs", async () => {
  const changes = /\bactAs\(|\.sete?[ug]id!?\(|Deno\.umask\(|\bchdir\(|Deno\.env\.(?:set|delete)\(/;
  const tests = (await sources("tests")).filter(({ path }) => !/^(?:alone|e2e)\//.test(path));
  assert.ok(tests.length > 200, `${tests.length} files`);
  assert.deepEqual(tests.filter(({ text }) => changes.test(text)).map(({ path }) => path), []);
});
