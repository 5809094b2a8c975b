/** The kinds of configuration that are rendered from the cluster, and what each needs from it. */

import type { Config } from "../config/schema.ts";
import { acmetoolFiles } from "./acmetool_setup.ts";
import {
  acmeShFiles,
  certbotFiles,
  dehydratedFiles,
  legoFaults,
  legoFiles,
} from "./client_setups.ts";
import { haproxyFiles } from "./haproxy.ts";
import { haproxyAcmeFaults, nameFaults } from "./haproxy_acme.ts";
import { keepalivedFiles } from "./keepalived.ts";
import { type ClusterList, missingLists } from "./missing_lists.ts";
import type { RenderedFile } from "./rendered_file.ts";
import { systemdFiles, type SystemdOptions } from "./systemd.ts";

interface RenderOptions {
  /** A name among the cluster's nodes. */
  node: string;
  /** How rendered files call acme-lb. @default EXECUTABLE */
  executable?: string | undefined;
  /** HAProxy orders by itself. */
  acme?: boolean | undefined;
  /** From the staging CA. */
  staging?: boolean | undefined;
  /** The machine's own, for files that are rendered where they are used. */
  here?: SystemdOptions;
}

interface Kind {
  /** Lists of the cluster that must not be empty. */
  needs: ClusterList[];
  /** Values of the configuration that the program does not support, a line each. */
  faults?: (config: Config, options: RenderOptions) => string[];
  /** Whether each balancer gets files of its own; those of the other kinds are the same on all. */
  differs: boolean;
  /** Whether it is an ACME client, which may order from the staging CA. */
  orders?: boolean;
  files(config: Config, options: RenderOptions): RenderedFile[];
}

export const KINDS: Record<string, Kind> = {
  keepalived: {
    needs: ["nodes", "virtual_addresses"],
    differs: true,
    files: keepalivedFiles,
  },
  haproxy: {
    needs: ["virtual_addresses", "names", "backends"],
    faults: (config, { acme }) => acme ? haproxyAcmeFaults(config) : [],
    differs: false,
    files: haproxyFiles,
  },
  systemd: { needs: [], differs: false, files: (config, { here }) => systemdFiles(config, here) },
  acmetool: client(
    acmetoolFiles,
    (config) => nameFaults(config, "acmetool obtains no certificates for addresses"),
  ),
  certbot: client(certbotFiles),
  lego: client(legoFiles, legoFaults),
  dehydrated: client(dehydratedFiles),
  "acme.sh": client(acmeShFiles),
};

function client(
  files: Kind["files"],
  faults: (config: Config) => string[] = (config) => nameFaults(config),
): Kind {
  return { needs: ["names"], faults, differs: false, orders: true, files };
}

/** Everything that prevents a kind of file from being rendered, a line each with its key. */
export function faultsOf(
  { needs, faults }: Kind,
  config: Config,
  options: RenderOptions = { node: "" },
): string[] {
  return [...missingLists(config, needs), ...faults?.(config, options) ?? []];
}
