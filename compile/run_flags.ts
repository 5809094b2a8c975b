/** How both forms of the executable run: with which permissions, and with how much memory. */

import denoJson from "../deno.json" with { type: "json" };
import { CLIENTS } from "../lib/clients/clients.ts";
import { permissionFlags } from "./permissions.ts";

/**
 * A balancer's memory is HAProxy's. V8 lets its young generation grow to three semi-spaces of
 * 16 MB, and the old one to several times what survives; what a flood of connections takes so, it
 * keeps. Smaller steps cost a collection now and then.
 */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=4,--heap-growing-percent=20";

/** Those of deno.json, and the variables that ACME clients set for their hooks. */
export const PERMISSIONS = {
  ...denoJson.compile.permissions,
  env: [
    ...denoJson.compile.permissions.env,
    ...Object.values(CLIENTS).flatMap(({ variables }) => variables),
  ],
};

/**
 * What of the environment reaches the runtime of the carrying form: the variables that acme-lb may
 * read, apart from the one that the start itself sets, and the one that the runtime tells it of.
 */
export const VARIABLES = [
  ...PERMISSIONS.env.filter((name) => name !== "ACME_LB_SELF"),
  "NO_COLOR",
];

/** Datagrams over a UNIX socket, by which systemd is told that the server is ready. */
export const UNSTABLE_FLAG = "--unstable-net";

/** Flags of `deno run`: ask nobody, fetch nothing, read no configuration, and the permissions. */
export const RUN_FLAGS = [
  "--quiet",
  "--no-prompt",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--cached-only",
  UNSTABLE_FLAG,
  V8_FLAGS,
  ...permissionFlags(PERMISSIONS),
];
