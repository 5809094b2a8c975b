/** `./install.sh --demo` as a story: three real balancers, and nothing of them left afterwards. */

import assert from "node:assert/strict";
import { entries, executablePath } from "./executable.ts";
import { demo, ROOT, run, WITH_DENO } from "./install_script.ts";
import { temporaryFolder } from "./temporary_folder.ts";

Deno.test("install.sh --demo sends the article's requests, prints them and leaves nothing behind", async () => {
  await using room = await temporaryFolder();
  const { code, stdout } = await demo(room, []);
  const story = [
    "== A file on LB0, asked for through LB2",
    "> GET /.well-known/acme-challenge/lb0 HTTP/1.1",
    "< HTTP/1.1 200 OK",
    "< Hello World",
    "== A file that is on none of them",
    "> GET /.well-known/acme-challenge/foobar HTTP/1.1",
    "< HTTP/1.1 404 Not Found",
    "== A challenge as an ACME client leaves it on LB1",
    "< HTTP/1.1 200 OK",
    "== Any other page",
    "< HTTP/1.1 301 Moved Permanently",
    "< Location: https://service.example/some/page?with=query",
    "All answers are right.",
  ];
  let from = 0;
  for (const line of story) {
    const at = stdout.indexOf(line, from);
    assert.notEqual(at, -1, `${line} after:\n${stdout.slice(0, from)}`);
    from = at + line.length;
  }
  assert.equal(code, 0);
  assert.deepEqual(await running(pidsIn(stdout)), []);
  assert.deepEqual(await entries(room.path, "acme-lb-demo-"), []);
});

Deno.test("install.sh --demo --keep leaves the three running until its own line stops them", async () => {
  await using room = await temporaryFolder();
  const { code, stdout } = await demo(room, ["--keep"]);
  assert.equal(code, 0);
  const pids = pidsIn(stdout);
  try {
    assert.deepEqual(await running(pids), pids);
    const urls = Array.from(stdout.matchAll(/^ {2}curl -i '(.*)'$/mg), ([, url]) => url!);
    assert.equal(urls.length, 3);
    for (const url of urls) {
      assert.equal(await (await fetch(url)).text(), "Hello World\n", url);
    }
  } finally {
    const stop = stdout.match(/^ {2}(kill \d+ \d+ \d+; rm -r .*)$/m)![1]!;
    assert.equal((await run(["sh", "-c", stop])).code, 0);
  }
  for (let attempt = 0; (await running(pids)).length > 0; attempt++) {
    assert.ok(attempt < 500, "still running 10 s later");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(await entries(room.path, "acme-lb-demo-"), []);
});

Deno.test("install.sh --demo stops its balancers when it is killed", async () => {
  await using room = await temporaryFolder();
  await executablePath();
  await using process = new Deno.Command("./install.sh", {
    args: ["--demo"],
    cwd: ROOT,
    clearEnv: true,
    env: { PATH: WITH_DENO, HOME: room.path, TMPDIR: room.path },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let stdout = "";
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    if (!pidsIn(stdout).length && pidsIn(stdout + text).length) process.kill("SIGTERM");
    stdout += text;
  }
  await process.status;
  const pids = pidsIn(stdout);
  assert.equal(pids.length, 3);
  assert.deepEqual(await running(pids), []);
  assert.deepEqual(await entries(room.path, "acme-lb-demo-"), []);
});

function pidsIn(stdout: string): number[] {
  return Array.from(stdout.matchAll(/^ {2}lb\d .* pid (\d+)$/mg), ([, pid]) => Number(pid));
}

/** Those of the processes that are there and are balancers; a number may have a new owner. */
async function running(pids: number[]): Promise<number[]> {
  const commands = await Promise.all(
    pids.map((pid) => Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "")),
  );
  return pids.filter((_, index) => commands[index]!.includes("acme-lb"));
}
