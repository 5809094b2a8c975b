/**
 * A million requests of every kind to one process: what it holds at the end, memory and descriptors,
 * must be what it held at its beginning, when all that is opened once has been opened.
 */

import { descriptors, residentMemory } from "./procfs.ts";
import type { Figure } from "./report.ts";
import { type Bench, startAcmeLb } from "./servers.ts";
import { parseSummary } from "./wrk.ts";

const SECTION = "Soak";
const PORT = 28080;
const CHALLENGE_PORT = 28090;
const REQUESTS = 1_000_000;
const QUICK_REQUESTS = 100_000;
/** Bounded on a machine that is too slow or too busy. */
const MAX_SECONDS = 300;
const PART_SECONDS = 5;
/** After the last request, for connections that linger to end. */
const REST_MS = 6_000;

const TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";

/** wrk's requests: what a public port gets in a week, in turn; some end the connection. */
const SCRIPT = `
local path = "/.well-known/acme-challenge/"
local cookie = string.rep("c", 9000)
local n = 0
local kinds = {
  function() return wrk.format("GET", "/page/" .. n .. "?a=b|c") end,
  function() return wrk.format("GET", "/", { Cookie = cookie }) end,
  function() return wrk.format("HEAD", "/" .. n) end,
  function() return wrk.format("PROPFIND", "/dav/") end,
  function() return wrk.format("GET", path .. "${TOKEN}") end,
  function() return wrk.format("GET", path .. "unknown" .. n) end,
  function() return wrk.format("GET", path .. "../../etc/passwd") end,
  function() return wrk.format("POST", "/form", nil, string.rep("x", 2000)) end,
  function() return wrk.format("GET", "/", { Connection = "close" }) end,
  function() return wrk.format("GET", "/", { Host = "a..b" }) end,
  function() return wrk.format("TRACE", "/") end,
  function() return "GET / HTTP/1.1\\r\\nHost : x\\r\\n\\r\\n" end,
}
request = function()
  n = n + 1
  -- Three in four are kept; the others cost a connection each.
  local kind = n % 4 > 0 and 1 + n % 6 or 1 + n % #kinds
  return kinds[kind]()
end
`;

export async function measureSoak(bench: Bench): Promise<Figure[]> {
  const wanted = bench.quick ? QUICK_REQUESTS : REQUESTS;
  const webroot = `${bench.directory}/soak`;
  await Deno.mkdir(webroot, { recursive: true });
  await Deno.writeTextFile(`${webroot}/${TOKEN}`, `${TOKEN}.${"t".repeat(43)}`);
  const script = `${bench.directory}/soak.lua`;
  await Deno.writeTextFile(script, SCRIPT);
  await using server = await startAcmeLb(bench, {
    publicPort: PORT,
    challengePort: CHALLENGE_PORT,
    peers: [],
    webroot,
  });
  const rest = () => new Promise((resolve) => setTimeout(resolve, REST_MS));
  let answered = await runPart(script);
  await rest();
  const before = await descriptors(server.pid);
  const began = performance.now();
  let early: number | undefined;
  const memory: number[] = [];
  while (answered < wanted && performance.now() - began < MAX_SECONDS * 1000) {
    bench.progress(
      `soak: ${answered.toLocaleString("en")} of ${wanted.toLocaleString("en")} requests`,
    );
    answered += await runPart(script);
    memory.push(await residentMemory(server.pid));
    if (answered >= wanted / 10) early ??= memory.at(-1);
  }
  await rest();
  // The highest of the last quarter: a collection may just have run, or not.
  const late = Math.max(...memory.slice(-Math.ceil(memory.length / 4)));
  const count = (what: string, value: number, most?: number): Figure => ({
    section: SECTION,
    what,
    unit: "",
    values: { "acme-lb": value },
    target: most === undefined ? undefined : { sense: "at most", value: most },
  });
  return [
    count("requests answered", answered),
    {
      section: SECTION,
      what: "resident memory after a tenth of them",
      unit: "MB",
      values: { "acme-lb": early },
    },
    {
      section: SECTION,
      what: "the highest in the last quarter",
      unit: "MB",
      values: { "acme-lb": late },
      target: { sense: "at most", value: early! * 1.15 },
    },
    count("descriptors more than after the first 5 s", await descriptors(server.pid) - before, 0),
  ];
}

/** wrk gives up nothing for answers of 4xx, which are meant; the requests answered. */
async function runPart(script: string): Promise<number> {
  const { success, stdout, stderr } = await new Deno.Command("wrk", {
    args: ["-t1", "-c40", `-d${PART_SECONDS}s`, "-s", script, `http://[::1]:${PORT}`],
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`wrk failed: ${decoder.decode(stderr).trim()}`);
  return parseSummary(decoder.decode(stdout)).requests;
}
