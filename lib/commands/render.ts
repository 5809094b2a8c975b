/** `acme-lb render`: the other programs' configuration for one balancer, from acme-lb's own. */

import { ownExecutable } from "../build_form.ts";
import { type Subcommand, writeToStdout } from "../cli.ts";
import { DEFAULT_CONFIG_PATH, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { ownNode } from "../config/own_node.ts";
import { ConfigError, EXIT, UsageError } from "../errors.ts";
import { machineAddresses } from "../own_addresses.ts";
import { nearest } from "../nearest.ts";
import { faultsOf, KINDS } from "../render/kinds.ts";
import type { RenderedFile } from "../render/rendered_file.ts";
import { absolutePath } from "./pem_target.ts";
import { differences, findPlaces, placeFiles, routerIdChanges } from "./place_files.ts";

interface RenderFlags {
  node?: string;
  root?: string;
  diff?: boolean;
  force?: boolean;
  acme?: boolean;
  staging?: boolean;
}

const EXAMPLES = `
Examples:
  acme-lb render keepalived
      on a balancer: prints /etc/keepalived/keepalived.conf for it; --node lb0 for another one
  acme-lb render systemd
      prints several files, each below a line with its path
  acme-lb render haproxy --root /
      on a balancer: writes the file to its path; --root ./files writes it below ./files instead
  acme-lb render haproxy --diff
      what --root / --force would change
  acme-lb render haproxy --acme --staging --root /
      HAProxy 3.2 orders its certificate itself, here from Let's Encrypt's staging CA; a timer
      saves what it obtains. acme-lb must ask it: challenge.solvers: ["127.0.0.1:31081"]

The systemd units use the acme-lb executable and the configuration file that rendered them.
keepalived's file differs from balancer to balancer; the others are the same on all. Without
--node it is rendered for the balancer in cluster.nodes that has an address of this machine. With
--root, nothing is written if one of the files exists and differs, unless --force is given. Then
the old file is kept in the same directory as .NAME.old-TIME. A line for each file says whether it
was written or unchanged. No program is reloaded. If a router id would change, a warning names it:
until all balancers have the new file, two of them hold that address.`;

export const render: Subcommand<RenderFlags> = {
  configure(command) {
    command
      .argument("<kind>", `what to render: ${Object.keys(KINDS).join(", ")}`)
      .option("--node <name>", "the balancer to render for, as cluster.nodes names it")
      .option("--root <dir>", "write each file to its path below this directory")
      .option("--diff", "show what would change below --root (default: /), and write nothing")
      .option("--acme", "with haproxy: let HAProxy 3.2 or later order its certificate itself")
      .option("--staging", "with an ACME client: order from the staging CA, for tests")
      .option("--force", "replace files that differ, and keep the old ones in the same directory")
      .addHelpText("after", EXAMPLES);
  },

  async run({ config: asked, node: given, root, diff, force, acme, staging }, [name = ""]) {
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
    if (!kind) throw new UsageError(unknown(name, { what: "kind", known: Object.keys(KINDS) }));
    if (acme && name !== "haproxy") throw new UsageError("--acme is only for haproxy");
    if (staging && !kind.orders && !acme) {
      throw new UsageError("--staging is for ACME clients, and for haproxy --acme");
    }
    if (force && diff) throw new UsageError("--diff writes nothing: leave out --force");
    if (force && root === undefined) throw new UsageError("--force is only allowed with --root");
    const { config, path = DEFAULT_CONFIG_PATH } = await loadConfig(asked);
    const faults = faultsOf(kind, config, { node: "", acme });
    if (faults.length > 0) throw new ConfigError(faults.map((fault) => `${path}: ${fault}`));
    if (given !== undefined) assertNode(given, config);
    const node = given ?? (kind.differs ? nodeHere(name, config) : "");

    // Rendered commands name the configuration and the executable when they are not the usual ones.
    const executable = ownExecutable();
    const configFile = path === DEFAULT_CONFIG_PATH ? undefined : absolutePath(path);
    const options = { node, here: { executable, configFile }, acme, staging };
    const isHere = given === undefined || given === ownNode(config, machineAddresses());
    const files = kind.files(config, isHere ? { ...options, executable } : options);
    if (diff) {
      const placed = await findPlaces(files, root ?? "/");
      const ids = routerIdChanges(placed).map((line) => `# ${line}\n`);
      writeToStdout(ids.join("") + differences(placed));
    } else if (root === undefined) writeToStdout(asText(files));
    else await placeFiles(await findPlaces(files, root), { force: force ?? false });
    return EXIT.done;
  },
};

/** @throws {UsageError} on a machine that is no balancer of the cluster */
function nodeHere(kind: string, config: Config): string {
  const node = ownNode(config, machineAddresses());
  if (node !== undefined) return node;
  throw new UsageError(
    `${kind} differs from balancer to balancer, and this machine has no address of cluster.nodes: ` +
      "give --node NAME",
  );
}

/** @throws {UsageError} with the nearest name */
function assertNode(node: string, { cluster }: Config): void {
  const known = Object.keys(cluster.nodes);
  if (known.includes(node)) return;
  throw new UsageError(`--node: ${unknown(node, { what: "node of the cluster", known })}`);
}

function unknown(word: string, { what, known }: { what: string; known: string[] }): string {
  const near = nearest(word, known);
  return `${JSON.stringify(word)} is no ${what}; ` +
    (near ? `did you mean ${near}?` : `there are ${known.join(", ") || "none"}`);
}

/**
 * One file without a heading, so that it can be redirected; several as `systemctl cat` prints them.
 */
function asText(files: RenderedFile[]): string {
  const [only, ...more] = files;
  if (only && more.length === 0) return only.text;
  return files.map(({ path, text }) => `# ${path}\n${text}`).join("\n");
}
