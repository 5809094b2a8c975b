/**
 * acme.sh's `--reloadcmd`: it exports CERT_KEY_PATH, CERT_FULLCHAIN_PATH and Le_Domain (and the
 * paths of the parts) around the command. A failing command is reported, and the certificate stays
 * renewed. The name comes as it was typed. An RSA and an ECDSA certificate of one domain have the
 * same Le_Domain: give each its own `--out`.
 */

import { type Client, type HookCall, type HookOutcome, requiredVariable } from "./hook.ts";

export const ACME_SH: Client = {
  hook: acmeShHook,
  variables: ["CERT_KEY_PATH", "CERT_FULLCHAIN_PATH", "Le_Domain"],
  setBy: "Set by acme.sh.",
};

function acmeShHook(call: HookCall): HookOutcome {
  const caller = "acme.sh's --reloadcmd";
  return {
    kind: "issued",
    certificates: [{
      name: requiredVariable(call, "Le_Domain", caller),
      key: requiredVariable(call, "CERT_KEY_PATH", caller),
      certificates: [requiredVariable(call, "CERT_FULLCHAIN_PATH", caller)],
    }],
  };
}
