import assert from "node:assert/strict";
import fc from "fast-check";
import { protectToken } from "../../lib/commands/challenge.ts";
import { acmeLb } from "./program.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const KEY_AUTHORIZATION = `${TOKEN}.LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0`;

async function withWebroot(job: (webroot: string) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder();
  const directory = folder.path;
  await job(`${directory}/acme/challenge`);
}

const put = (webroot: string, token: string, stdin: string, before?: string[]) =>
  acmeLb(["challenge", "put", token, "--webroot", webroot], { stdin, before });

Deno.test("challenge put writes a file that everybody can read under any umask, and remove deletes it", async () => {
  await withWebroot(async (webroot) => {
    for (const end of ["", "\n", "\r\n"]) {
      const wrapper = ["sh", "-c", 'umask 077; exec "$@"', "sh"];
      const result = await put(webroot, TOKEN, KEY_AUTHORIZATION + end, wrapper);
      assert.deepEqual([result.code, result.stdout, result.stderr], [0, "", ""]);
      assert.equal(await Deno.readTextFile(`${webroot}/${TOKEN}`), KEY_AUTHORIZATION);
      for (const path of [`${webroot}/${TOKEN}`, webroot]) {
        assert.equal((await Deno.stat(path)).mode! & 0o044, 0o044, path);
      }
    }
    for (let i = 0; i < 2; i++) {
      const { code, stderr } = await acmeLb(["challenge", "remove", TOKEN, "--webroot", webroot]);
      assert.deepEqual([code, stderr], [0, ""]);
    }
    assert.deepEqual(await Array.fromAsync(Deno.readDir(webroot)), []);
  });
});

Deno.test("challenge takes tokens that begin with a dash, even those that look like flags", async () => {
  await withWebroot(async (webroot) => {
    for (const token of ["-abc", "--abc", "-V123", "-h_", "--webrot", "-", "--version1"]) {
      const flags = ["--webroot", webroot];
      for (
        const args of [["put", token, ...flags], ["put", ...flags, token], [...flags, "put", token]]
      ) {
        const result = await acmeLb(["challenge", ...args], { stdin: `${token}.thumb` });
        assert.deepEqual([result.code, result.stderr], [0, ""], args.join(" "));
        assert.equal(await Deno.readTextFile(`${webroot}/${token}`), `${token}.thumb`);
        const removed = await acmeLb([
          "challenge",
          "remove",
          ...args.filter((word) => word !== "put"),
        ]);
        assert.deepEqual([removed.code, removed.stderr], [0, ""]);
      }
    }
  });
});

Deno.test("challenge refuses a token that could leave the webroot, before it touches anything", async () => {
  await withWebroot(async (webroot) => {
    const tokens = [
      "../x",
      "a/b",
      "..",
      ".",
      "a.b",
      "a b",
      "a\nb",
      "é",
      "",
      "a".repeat(129),
      "%2e%2e",
    ];
    for (const token of tokens) {
      for (const action of ["put", "remove"]) {
        const args = ["challenge", action, token, "--webroot", webroot];
        const { code, stderr } = await acmeLb(args, { stdin: `${token}.x` });
        assert.equal(code, 64, token);
        assert.match(stderr, /^acme-lb: the token is not 1 to 128 characters of base64url\n$/);
      }
    }
    await assert.rejects(Deno.stat(webroot), Deno.errors.NotFound);
  });
});

Deno.test("challenge put refuses a text that is not a key authorization for the token", async () => {
  await withWebroot(async (webroot) => {
    const table = [
      ...["", "\n", TOKEN, `${TOKEN}.`, "other.thumb", `${TOKEN}.a.b`, `${TOKEN}.a b`],
      ...[`${TOKEN}.a\n${TOKEN}.a`, ` ${KEY_AUTHORIZATION}`, "-----BEGIN PRIVATE KEY-----"],
    ];
    for (const stdin of table) {
      const { code, stderr } = await put(webroot, TOKEN, stdin);
      assert.equal(code, 1, JSON.stringify(stdin));
      assert.match(
        stderr,
        /standard input is not the key authorization: it must be TOKEN\.THUMBPRINT/,
      );
    }
    assert.equal((await put(webroot, TOKEN, `${TOKEN}.${"a".repeat(2000)}`)).code, 1);
    await assert.rejects(Deno.stat(webroot), Deno.errors.NotFound);
  });
});

Deno.test("challenge put refuses a text longer than the CA reads, and accepts shorter ones", async () => {
  await withWebroot(async (webroot) => {
    const thumbprint = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";
    const table: [token: string, thumbprint: string, taken: boolean][] = [
      [TOKEN, thumbprint, true],
      ["a".repeat(82), thumbprint, true],
      ["a".repeat(83), thumbprint, true],
      ["a".repeat(84), thumbprint, false],
      ["a".repeat(90), thumbprint, false],
      ["a".repeat(128), thumbprint, false],
      ["b", "a".repeat(125), true],
      ["b", "a".repeat(126), false],
    ];
    for (const [token, tail, taken] of table) {
      const text = `${token}.${tail}`;
      const { code, stderr } = await put(webroot, token, text);
      const what = `${text.length} bytes`;
      assert.equal(code, taken ? 0 : 1, what);
      if (!taken) {
        assert.match(stderr, /too long: it has \d+ bytes, and the CA reads no more than 127/);
      }
      const there = await Deno.lstat(`${webroot}/${token}`).then(() => true, () => false);
      assert.equal(there, taken, what);
      if (taken) await acmeLb(["challenge", "remove", token, "--webroot", webroot]);
    }
  });
});

Deno.test("challenge remove deletes only files, and names anything else", async () => {
  await withWebroot(async (webroot) => {
    await Deno.mkdir(`${webroot}/directory`, { recursive: true });
    await Deno.mkdir(`${webroot}/full`);
    await Deno.writeTextFile(`${webroot}/full/x`, "");
    await Deno.writeTextFile(`${webroot}.elsewhere`, "precious");
    await Deno.symlink(`${webroot}.elsewhere`, `${webroot}/link`);
    await Deno.symlink(`${webroot}/directory`, `${webroot}/way`);
    await Deno.symlink(`${webroot}/nowhere`, `${webroot}/dangling`);
    await new Deno.Command("mkfifo", { args: [`${webroot}/pipe`] }).output();
    const table: [token: string, reason: RegExp | undefined][] = [
      ["directory", /is not removed: it is a directory/],
      ["full", /is not removed: it is a directory/],
      ["link", /is not removed: it is a symbolic link/],
      ["way", /is not removed: it is a symbolic link/],
      ["dangling", /is not removed: it is a symbolic link/],
      ["pipe", /is not removed: it is not a regular file/],
      ["absent", undefined],
    ];
    for (const [token, reason] of table) {
      const { code, stderr } = await acmeLb(["challenge", "remove", token, "--webroot", webroot]);
      assert.equal(code, reason ? 1 : 0, token);
      if (!reason) continue;
      assert.match(stderr, reason, token);
      await Deno.lstat(`${webroot}/${token}`);
    }
    assert.equal(await Deno.readTextFile(`${webroot}.elsewhere`), "precious");
  });
});

Deno.test("challenge replaces a link that somebody planted, and does not follow it", async () => {
  await withWebroot(async (webroot) => {
    await Deno.mkdir(webroot, { recursive: true });
    const victim = `${webroot}.victim`;
    await Deno.writeTextFile(victim, "precious");
    await Deno.symlink(victim, `${webroot}/${TOKEN}`);
    assert.equal((await put(webroot, TOKEN, KEY_AUTHORIZATION)).code, 0);
    assert.ok((await Deno.lstat(`${webroot}/${TOKEN}`)).isFile);
    await Deno.remove(`${webroot}/${TOKEN}`);
    await Deno.symlink(victim, `${webroot}/${TOKEN}`);
    await acmeLb(["challenge", "remove", TOKEN, "--webroot", webroot]);
    assert.equal(await Deno.readTextFile(victim), "precious");
  });
});

Deno.test("challenge refuses actions other than put and remove", async () => {
  for (const args of [["PUT", TOKEN], ["get", TOKEN], ["put"], [], ["put", TOKEN, "x"]]) {
    const { code, stderr } = await acmeLb(["challenge", ...args]);
    assert.equal(code, 64, args.join(" "));
    assert.match(
      stderr,
      /allowed choices are put, remove|missing required argument|too many arguments/,
    );
  }
});

Deno.test("protectToken() changes arguments only by moving a token behind --", () => {
  const token = fc.stringMatching(/^-[A-Za-z0-9_-]{2,20}$/)
    .filter((text) => !["--help", "--config", "--webroot"].includes(text));
  fc.assert(
    fc.property(fc.constantFrom("put", "remove"), token, fc.boolean(), (action, text, last) => {
      const flags = ["--webroot", "/w"];
      const args = ["challenge", action, ...last ? [...flags, text] : [text, ...flags]];
      assert.deepEqual(protectToken(args), ["challenge", action, ...flags, "--", text]);
      assert.deepEqual(protectToken(["challenge", action, "abc", ...flags]), [
        ...["challenge", action, "abc", ...flags],
      ]);
    }),
  );
  for (
    const args of [["challenge", "put", "--help"], ["challenge", "put", "-h"], [
      "challenge",
      "--",
      "-a",
    ]]
  ) {
    assert.deepEqual(protectToken(args), args);
  }
});
