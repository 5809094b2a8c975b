/** `acme-lb render`: the other programs' configuration for one balancer, from acme-lb's own. */

import { atomicWrite } from "../atomic_write.ts";
import { type Subcommand, writeToStdout } from "../cli.ts";
import { DEFAULT_CONFIG_PATH, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { ConfigError, EXIT, JobError, UsageError } from "../errors.ts";
import { makeDirectory } from "../make_directory.ts";
import { nearest } from "../nearest.ts";
import { readIfPresent } from "../read_input.ts";
import { faultsOf, KINDS } from "../render/kinds.ts";
import type { RenderedFile } from "../render/rendered_file.ts";

export interface RenderFlags {
  node?: string;
  root?: string;
  force?: boolean;
}

const EXAMPLES = `
Examples:
  acme-lb render keepalived --node lb0
      prints /etc/keepalived/keepalived.conf for lb0, a balancer of the configuration's cluster
  acme-lb render systemd
      prints several files, each below a line with its path
  acme-lb render haproxy --root /
      on a balancer: writes the file to its place; --root ./files writes it below ./files instead
  acme-lb render haproxy | diff /etc/haproxy/haproxy.cfg -
      what --force would change

keepalived's file differs from balancer to balancer; the others are the same on all, so for them
--node may be left out.
With --root, a file that is there and differs is left alone, and so are all others, unless --force is
given. It says of each file whether it was written or unchanged; nothing is reloaded.`;

export const render: Subcommand<RenderFlags> = {
  configure(command) {
    command
      .argument("<kind>", `what to render: ${Object.keys(KINDS).join(", ")}`)
      .option("--node <name>", "the balancer to render for, as cluster.nodes names it")
      .option("--root <dir>", "write each file to its place below this directory")
      .option("--force", "replace files that differ")
      .addHelpText("after", EXAMPLES);
  },

  async run({ config: asked, node = "", root, force }, [name = ""]) {
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
    if (!kind) throw new UsageError(unknown(name, { what: "kind", known: Object.keys(KINDS) }));
    if (force && root === undefined) throw new UsageError("--force is for --root alone");
    if (node === "" && kind.differs) {
      throw new UsageError(`${name} differs from balancer to balancer: give --node NAME`);
    }
    const { config, path = DEFAULT_CONFIG_PATH } = await loadConfig(asked);
    const faults = faultsOf(kind, config);
    if (faults.length > 0) throw new ConfigError(faults.map((fault) => `${path}: ${fault}`));
    if (node !== "") assertNode(node, config);

    const files = kind.files(config, { node });
    if (root === undefined) writeToStdout(asText(files));
    else await install(files, { root, force: force ?? false });
    return EXIT.done;
  },
};

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

/** One file as it is, so that it can be redirected; several as `systemctl cat` shows them. */
function asText(files: RenderedFile[]): string {
  const [only, ...more] = files;
  if (only && more.length === 0) return only.text;
  return files.map(({ path, text }) => `# ${path}\n${text}`).join("\n");
}

/** @throws {JobError} before anything is written when a file differs, unless forced */
async function install(
  files: RenderedFile[],
  { root, force }: { root: string; force: boolean },
): Promise<void> {
  const base = root.replace(/\/+$/, "");
  const placed = files.map((file) => ({ ...file, place: `${base}${file.path}` }));
  const differing = [];
  for (const { place, text } of placed) {
    const old = await readIfPresent(place);
    if (old !== undefined && new TextDecoder().decode(old) !== text) differing.push(place);
  }
  if (differing.length > 0 && !force) {
    throw new JobError(
      `${differing.join(", ")}: there already, with other content; nothing is written; ` +
        "compare with the output without --root, then add --force",
    );
  }
  for (const { place, text, mode = 0o644 } of placed) {
    await makeDirectory(place.slice(0, place.lastIndexOf("/")));
    writeToStdout(`${place}: ${await atomicWrite(place, text, { mode })}\n`);
  }
}
