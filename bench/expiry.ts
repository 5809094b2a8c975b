/**
 * check-expiry over 10,000 files: beside a loop of `openssl x509 -checkend`, which is what scripts
 * do, and beside one openssl that reads them all in a single process; and over 200 live endpoints
 * of which some hang.
 *
 * The loop is run over a sample and scaled to all files. The files hold one certificate each, all
 * that the loop looks at. A second set is HAProxy's files, each with a key of its own and its
 * intermediate; acme-lb alone checks every key and every signature of those. One file is checked
 * beside check_ssl_cert (Debian: monitoring-plugins-contrib and bind9-host) where that is installed.
 */

import { DAY, issue, issueChain, type IssueOptions, makeKey, NOW } from "../tests/cert/issue.ts";
import { DEFAULT_TIMEOUT_MS } from "../lib/commands/check_expiry.ts";
import { residentMemory } from "./procfs.ts";
import { type Contender, type Figure, median } from "./report.ts";
import type { Bench } from "./servers.ts";

const SECTION = "Expiry";
const SAMPLE = 300;
const ENDPOINTS = 200;
const HUNG = 20;

export async function measureExpiry(bench: Bench): Promise<Figure[]> {
  const { lower } = await issueChain();
  const plain = { directory: `${bench.directory}/expiry-plain`, count: 10_000 };
  const key = await makeKey();
  await makeFiles(bench, plain, async (options) => {
    const { pem } = await issue({ ...options, issuer: lower, key });
    return pem;
  });
  const haproxy = {
    directory: `${bench.directory}/expiry-haproxy`,
    count: bench.quick ? 200 : 10_000,
  };
  await makeFiles(bench, haproxy, async (options) => {
    const { key, pem } = await issue({ ...options, issuer: lower });
    return key.pem + pem + lower.pem;
  });
  return [
    ...await bench.part("expiry: files", () => compareFiles(bench, plain)),
    ...await bench.part("expiry: HAProxy files", () => haproxyFiles(bench, haproxy)),
    ...await bench.part("expiry: one file", () => oneFile(bench, `${plain.directory}/0.pem`)),
    ...await liveEndpoints(bench),
  ];
}

async function makeFiles(
  bench: Bench,
  { directory, count }: Files,
  make: (options: IssueOptions) => Promise<string>,
): Promise<void> {
  await Deno.mkdir(directory);
  for (let i = 0; i < count; i++) {
    if (i % 100 === 0) bench.progress(`expiry: making file ${i} of ${count}`);
    const content = await make({
      names: [`site-${i}.example`, `www.site-${i}.example`],
      // None is due, so that all of them end with the same code.
      notAfter: new Date(NOW.getTime() + (30 + i % 60) * DAY),
    });
    await Deno.writeTextFile(`${directory}/${i}.pem`, content);
  }
}

interface Files {
  directory: string;
  count: number;
}

async function compareFiles(bench: Bench, { directory, count }: Files): Promise<Figure[]> {
  const rounds = bench.quick ? 1 : 5;
  const values: NonNullable<Figure["rounds"]> = {};
  const memory: number[] = [];
  const sample = `for f in $(ls ${directory} | head -n ${SAMPLE}); do ` +
    `openssl x509 -noout -checkend 864000 -in ${directory}/$f >/dev/null || exit 1; done`;
  for (let round = 0; round <= rounds; round++) {
    bench.progress(`expiry: ${count} files, round ${round} of ${rounds}`);
    const own = await checkExpiry(bench, [directory]);
    const peak = await peakMemory(bench, [directory]);
    const loop = await shell(sample) * count / Math.min(SAMPLE, count);
    const all = await shell(readAll(directory));
    // The first round fills the page cache for everybody.
    if (round === 0) continue;
    memory.push(peak);
    (values["acme-lb"] ??= []).push(own);
    (values["openssl loop"] ??= []).push(loop);
    (values["one openssl"] ??= []).push(all);
  }
  return [
    {
      section: SECTION,
      what: `${count} certificates in files (the loop: ${SAMPLE} of them, scaled)`,
      unit: "ms",
      values: mediansOf(values),
      rounds: values,
      target: { sense: "at most", value: 0.01, of: "openssl loop" },
    },
    {
      section: SECTION,
      what: "the same, within two seconds",
      unit: "ms",
      values: { "acme-lb": median(values["acme-lb"]!) },
      target: { sense: "at most", value: 2000 },
    },
    {
      section: SECTION,
      what: "the same: peak resident memory",
      unit: "MB",
      values: { "acme-lb": median(memory) },
      rounds: { "acme-lb": memory },
      target: { sense: "at most", value: 150 },
    },
  ];
}

async function haproxyFiles(bench: Bench, { directory, count }: Files): Promise<Figure[]> {
  const values: NonNullable<Figure["rounds"]> = {};
  const memory: number[] = [];
  for (let round = 0; round <= (bench.quick ? 1 : 3); round++) {
    bench.progress(`expiry: ${count} files with keys, round ${round}`);
    const own = await checkExpiry(bench, [directory]);
    const peak = await peakMemory(bench, [directory]);
    const all = await shell(readAll(directory));
    if (round === 0) continue;
    memory.push(peak);
    (values["acme-lb"] ??= []).push(own);
    (values["one openssl"] ??= []).push(all);
  }
  return [
    {
      section: SECTION,
      what: `${count} HAProxy files, every key and signature checked (openssl: dates alone)`,
      unit: "ms",
      values: mediansOf(values),
      rounds: values,
      target: { sense: "at most", value: 5000 },
    },
    {
      section: SECTION,
      what: "the same: peak resident memory",
      unit: "MB",
      values: { "acme-lb": median(memory) },
      rounds: { "acme-lb": memory },
      target: { sense: "at most", value: 150 },
    },
  ];
}

/** Where Debian puts it, which is on nobody's PATH. */
const PLUGIN = "/usr/lib/nagios/plugins/check_ssl_cert";

async function oneFile(bench: Bench, file: string): Promise<Figure[]> {
  const values: NonNullable<Figure["rounds"]> = {};
  const plugin = `p=$(command -v check_ssl_cert || echo ${PLUGIN}); ` +
    `$p -f ${file} --ignore-incomplete-chain --noauth --ignore-sct --ignore-maximum-validity >/dev/null`;
  const installed = await shell("command -v check_ssl_cert || test -x " + PLUGIN).then(
    () => true,
    () => false,
  );
  for (let round = 0; round <= (bench.quick ? 1 : 5); round++) {
    bench.progress(`expiry: one file, round ${round}`);
    const own = await checkExpiry(bench, [file]);
    const other = installed ? await shell(plugin) : undefined;
    if (round === 0) continue;
    (values["acme-lb"] ??= []).push(own);
    if (other !== undefined) (values["check_ssl_cert"] ??= []).push(other);
  }
  return [{
    section: SECTION,
    what: "one file",
    unit: "ms",
    values: mediansOf(values),
    rounds: values,
    target: { sense: "at most", value: 0.2, of: "check_ssl_cert" },
  }];
}

/** One process that reads a stream of certificates is the least that openssl can do for all. */
function readAll(directory: string): string {
  return `find ${directory} -name '*.pem' -exec cat {} + >${directory}.all && ` +
    `openssl storeutl -noout -text -certs ${directory}.all | grep -c 'Not After' >/dev/null`;
}

/** All endpoints answer, then a tenth of them takes connections and never says a word. */
async function liveEndpoints(bench: Bench): Promise<Figure[]> {
  const { key, pem } = await issue();
  using good = Deno.listenTls({ hostname: "0.0.0.0", port: 0, key: key.pem, cert: pem });
  // The kernel takes the connections; nobody accepts them.
  using hung = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const serving = serve(good);
  const figures: Figure[] = [];
  for (const silent of [0, HUNG]) {
    const ports = Array.from(
      { length: ENDPOINTS },
      (_, i) => ((i < silent ? hung : good).addr as Deno.NetAddr).port,
    );
    const what = `expiry: ${ENDPOINTS} endpoints, ${silent} of them hung`;
    figures.push(...await bench.part(what, () => endpointRounds(bench, { ports, silent })));
  }
  good.close();
  await serving;
  return figures;
}

/** Each endpoint has an address of its own. */
async function endpointRounds(
  bench: Bench,
  { ports, silent }: { ports: number[]; silent: number },
): Promise<Figure[]> {
  const args = ports.flatMap((port, i) => ["--connect", `127.0.1.${i + 1}:${port}`]);
  const rounds: number[] = [];
  for (let round = 0; round <= (bench.quick || silent > 0 ? 1 : 5); round++) {
    bench.progress(`expiry: ${ENDPOINTS} endpoints, ${silent} of them hung, round ${round}`);
    const ms = await checkExpiry(bench, args, silent > 0 ? 2 : 0);
    if (round > 0) rounds.push(ms);
  }
  return [{
    section: SECTION,
    what: silent === 0
      ? `${ENDPOINTS} live endpoints`
      : `the same, ${silent} of them hung until the deadline of ${DEFAULT_TIMEOUT_MS / 1000} s`,
    unit: "ms",
    values: { "acme-lb": median(rounds) },
    rounds: { "acme-lb": rounds },
    ...silent === 0 ? {} : { target: { sense: "at most", value: DEFAULT_TIMEOUT_MS + 1000 } },
  }];
}

async function serve(listener: Deno.TlsListener): Promise<void> {
  try {
    while (true) {
      const connection = await listener.accept();
      connection.handshake().catch(() => {}).finally(() => connection.close());
    }
  } catch {
    // Closed.
  }
}

/** Runs check-expiry to its end, which must come to `code`, and returns its milliseconds. */
async function checkExpiry(bench: Bench, args: string[], code = 0): Promise<number> {
  const start = performance.now();
  const ended = await startCheck(bench, args).output();
  const ms = performance.now() - start;
  if (ended.code !== code) {
    const text = new TextDecoder().decode(ended.stdout).slice(0, 300);
    throw new Error(`check-expiry ended with ${ended.code}: ${text}`);
  }
  return ms;
}

/** The most resident memory that was seen during a run, in megabytes. */
async function peakMemory(bench: Bench, args: string[]): Promise<number> {
  const child = startCheck(bench, args).spawn();
  let running = true;
  const ended = child.output().finally(() => running = false);
  let peak = 0;
  while (running) {
    peak = Math.max(peak, await residentMemory(child.pid));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await ended;
  return peak;
}

function startCheck({ acmeLb: [program, ...before] }: Bench, args: string[]): Deno.Command {
  return new Deno.Command(program!, {
    args: [...before, "check-expiry", "--format", "nagios", ...args],
    stdin: "null",
    stdout: "piped",
  });
}

/** Milliseconds that a shell takes for it. */
async function shell(script: string): Promise<number> {
  const start = performance.now();
  const { success, stderr } = await new Deno.Command("sh", { args: ["-c", script], stdin: "null" })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).slice(0, 300));
  return performance.now() - start;
}

function mediansOf(rounds: NonNullable<Figure["rounds"]>): Figure["values"] {
  return Object.fromEntries(
    Object.entries(rounds).map(([name, values]) => [name as Contender, median(values)]),
  );
}
