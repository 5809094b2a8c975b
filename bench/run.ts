/**
 * `deno task bench`: acme-lb beside nginx and HAProxy, measured in one run on one machine.
 *
 * This half decides what can be measured here, starts the measuring half, and prints the table.
 * The exit code tells whether it could measure; a target that is missed is shown and no more.
 *
 * Usage: deno task bench [--only SECTION] [--quick] [--json FILE], where SECTION is one of
 * answer, redirect, memory, start, startup, swap, expiry, hooks, attack, status, soak
 */

import { dirname } from "node:path";
import { executablePath } from "../tests/executable.ts";
import { type Measured, type Order, type Section, SECTIONS } from "./measure.ts";
import { formatTables, judge } from "./report.ts";
import { isRoot } from "./servers.ts";

const LATEST = `${import.meta.dirname}/results/latest.json`;
const USAGE = `usage: deno task bench [--only ${
  Object.keys(SECTIONS).join("|")
}] [--quick] [--json FILE]`;
const EXIT = { measured: 0, failed: 1, usage: 64 };

/**
 * The measuring half in a network of its own, with ports that nobody else has and packet filters
 * that touch nobody else; and in a process tree that the kernel ends as a whole when this half
 * ends, in whatever way.
 */
const APART = [
  ...["setpriv", "--pdeathsig", "KILL", "--"],
  ...["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"],
];

interface Flags {
  only: Section | undefined;
  quick: boolean;
  json: string | undefined;
}

if (import.meta.main) {
  const flags = readFlags(Deno.args);
  if (!flags) {
    await print(USAGE + "\n", Deno.stderr);
    Deno.exitCode = EXIT.usage;
  } else {
    Deno.exitCode = await bench(flags) ? EXIT.measured : EXIT.failed;
  }
}

function readFlags(args: string[]): Flags | undefined {
  const flags: Flags = { only: undefined, quick: false, json: undefined };
  for (let index = 0; index < args.length; index++) {
    const value = args[index + 1];
    if (args[index] === "--quick") flags.quick = true;
    else if (args[index] === "--json" && value) flags.json = args[++index];
    else if (args[index] === "--only" && value && Object.hasOwn(SECTIONS, value)) {
      flags.only = value as Section;
      index++;
    } else return undefined;
  }
  return flags;
}

/** Measures, prints and writes; whether everything that can be measured here was. */
async function bench({ only, quick, json }: Flags): Promise<boolean> {
  const executable = await executablePath();
  const versions = {
    // It tells its form and runtime as well.
    "acme-lb": await versionOf([executable, "--version"], /.*/),
    "Deno": Deno.version.deno,
    "nginx": await versionOf(["nginx", "-v"], /[\d.]+/),
    "HAProxy": await versionOf(["haproxy", "-v"], /[\d.]+/),
    "wrk": await versionOf(["wrk", "-v"], /[\d.]+/),
    "openssl": await versionOf(["openssl", "version"], /[\d.]+/),
    "h2load": await versionOf(["h2load", "--version"], /(?<=\/)[\d.]+/),
  };
  const machine = {
    processors: navigator.hardwareConcurrency,
    kernel: Deno.osRelease(),
    loadAverage: Deno.loadavg()[0]!,
  };
  await print(
    `${versions["acme-lb"]}\n` +
      `beside it: ${
        Object.entries(versions).slice(1).map(([name, version]) => `${name} ${version ?? "absent"}`)
          .join(", ")
      }\n` +
      `machine: ${machine.processors} processors, Linux ${machine.kernel}, ` +
      `load average ${machine.loadAverage.toFixed(2)} at the start\n`,
  );
  if (machine.loadAverage > machine.processors / 2) {
    await print("this machine is busy with something else: figures may be disturbed\n");
  }

  const wanted = only ? [only] : Object.keys(SECTIONS) as Section[];
  const { sections, leftOut } = possible(wanted, versions);
  for (const reason of leftOut) await print(`left out: ${reason}\n`);
  const directory = await Deno.makeTempDir({ prefix: "acme-lb-bench-" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      Deno.removeSync(directory, { recursive: true });
      Deno.exit(EXIT.failed);
    });
  }
  const { figures, failures } = await measureApart({
    directory,
    acmeLb: [executable],
    nginx: versions.nginx !== undefined,
    haproxy: versions.HAProxy !== undefined,
    wrk: versions.wrk !== undefined,
    quick,
    sections,
    apart: isRoot(),
    terminal: Deno.stderr.isTerminal(),
  });
  await Deno.remove(directory, { recursive: true });

  const results = figures.map(judge);
  await print(`in brackets: acme-lb's figure divided by the one before the brackets\n\n`);
  await print(formatTables(results));
  for (const failure of failures) await print(`could not measure ${failure}\n`, Deno.stderr);
  const date = new Date().toISOString();
  const report = { date, versions, machine, quick, leftOut, failures, results };
  for (const file of [LATEST, ...json === undefined ? [] : [json]]) {
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(file, JSON.stringify(report, null, 2) + "\n");
  }
  return failures.length === 0 && results.length > 0;
}

/** What this machine allows of what is wanted, and a line for each thing that it does not. */
function possible(
  wanted: Section[],
  versions: Record<string, string | undefined>,
): { sections: Section[]; leftOut: string[] } {
  const leftOut = [];
  const sections = new Set(wanted);
  if (sections.has("answer") && !isRoot()) {
    sections.delete("answer");
    leftOut.push("the time to the right answer, which needs root for its network namespaces");
  }
  for (const section of ["redirect", "soak"] as const) {
    if (!sections.has(section) || versions.wrk !== undefined) continue;
    sections.delete(section);
    leftOut.push(`${section}, which needs wrk (apt-get install wrk)`);
  }
  if (sections.has("attack") && !isRoot()) {
    sections.delete("attack");
    leftOut.push("attack, which needs root for a network of its own");
  }
  if (sections.has("status") && !isRoot()) {
    sections.delete("status");
    leftOut.push("status, which needs root for its network namespaces");
  }
  if (sections.has("swap") && (!versions.h2load || !versions.HAProxy)) {
    sections.delete("swap");
    leftOut.push("certificates, which need haproxy and h2load (apt-get install nghttp2-client)");
  }
  if (sections.has("expiry") && versions.openssl === undefined) {
    sections.delete("expiry");
    leftOut.push("expiry, which needs openssl (apt-get install openssl)");
  }
  for (const name of ["nginx", "HAProxy"]) {
    if (versions[name] !== undefined) continue;
    leftOut.push(`${name}, which is not installed (apt-get install ${name.toLowerCase()})`);
  }
  return { sections: [...sections], leftOut };
}

async function measureApart(order: Order): Promise<Measured> {
  const program = new URL("measure.ts", import.meta.url).pathname;
  const [command, ...args] = [
    ...order.apart ? APART : [],
    ...[Deno.execPath(), "run", "-A", program, JSON.stringify(order)],
  ];
  const child = new Deno.Command(command!, { args, stdin: "null", stderr: "inherit" });
  const { success, code, stdout } = await child.output();
  if (!success) return { figures: [], failures: [`anything: measure.ts ended with ${code}`] };
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** What a program says of its version; undefined when it is not here. */
async function versionOf([program, ...args]: string[], pattern: RegExp) {
  try {
    const { stdout, stderr } = await new Deno.Command(program!, { args, stdin: "null" }).output();
    const decoder = new TextDecoder();
    return pattern.exec(decoder.decode(stdout) + decoder.decode(stderr))?.[0];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function print(text: string, to: typeof Deno.stdout | typeof Deno.stderr = Deno.stdout) {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}
