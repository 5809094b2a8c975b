/** The clients whose hooks are understood, by the name that `--hook` takes. */

import { acmeShHook } from "./acme_sh.ts";
import { acmetoolHook } from "./acmetool.ts";
import { certbotHook } from "./certbot.ts";
import { dehydratedHook } from "./dehydrated.ts";
import type { Hook } from "./hook.ts";
import { legoHook } from "./lego.ts";

export const HOOKS = {
  "acmetool": acmetoolHook,
  "certbot": certbotHook,
  "lego": legoHook,
  "dehydrated": dehydratedHook,
  "acme.sh": acmeShHook,
} as const satisfies Record<string, Hook>;

export type ClientName = keyof typeof HOOKS;
