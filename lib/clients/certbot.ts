/**
 * certbot's `--deploy-hook` (Certbot user guide, "Renewing certificates"): the lineage's directory
 * under `live/` comes as RENEWED_LINEAGE. certbot reports a hook that fails, but renews all the
 * same.
 */

import {
  type Client,
  type HookCall,
  type HookOutcome,
  lastPart,
  requiredVariable,
} from "./hook.ts";

export const CERTBOT: Client = {
  hook: certbotHook,
  variables: ["RENEWED_LINEAGE"],
  setBy: "Set by certbot.",
};

function certbotHook(call: HookCall): HookOutcome {
  const lineage = requiredVariable(call, "RENEWED_LINEAGE", "certbot's --deploy-hook")
    .replace(/\/+$/, "");
  return {
    kind: "issued",
    certificates: [{
      name: lastPart(lineage),
      key: `${lineage}/privkey.pem`,
      certificates: [`${lineage}/fullchain.pem`],
    }],
  };
}
