/** The clients whose hooks are understood, by the name that `--hook` takes. */

import { ACME_SH } from "./acme_sh.ts";
import { ACMETOOL } from "./acmetool.ts";
import { CERTBOT } from "./certbot.ts";
import { DEHYDRATED } from "./dehydrated.ts";
import type { Client } from "./hook.ts";
import { LEGO } from "./lego.ts";

export const CLIENTS = {
  "acmetool": ACMETOOL,
  "certbot": CERTBOT,
  "lego": LEGO,
  "dehydrated": DEHYDRATED,
  "acme.sh": ACME_SH,
} as const satisfies Record<string, Client>;

export type ClientName = keyof typeof CLIENTS;
