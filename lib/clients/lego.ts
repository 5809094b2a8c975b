/**
 * lego's hooks: `--run-hook` and `--renew-hook` of version 4 (LEGO_CERT_…), the deploy hook of
 * version 5 (LEGO_HOOK_CERT_…; its migration guide, "Hooks").
 *
 * The certificate's file holds the chain unless lego runs with `--no-bundle`; the issuer's file,
 * which versions before 4.18 do not name, stands beside it. What both hold is used once.
 */

import { type Client, type HookCall, type HookOutcome, requiredVariable } from "./hook.ts";

const PARTS = ["CERT_PATH", "CERT_KEY_PATH", "ISSUER_CERT_PATH"];

export const LEGO: Client = {
  hook: legoHook,
  variables: [
    ...["LEGO_CERT_DOMAIN", ...PARTS.map((part) => `LEGO_${part}`)],
    ...["LEGO_HOOK_CERT_NAME", ...PARTS.map((part) => `LEGO_HOOK_${part}`)],
  ],
  setBy: "Set by lego: those with HOOK by version 5, the others by version 4.",
};

function legoHook(call: HookCall): HookOutcome {
  const prefix = call.env("LEGO_HOOK_CERT_PATH") ? "LEGO_HOOK_" : "LEGO_";
  const caller = "lego's --run-hook, --renew-hook or --deploy-hook";
  const certificate = requiredVariable(call, `${prefix}CERT_PATH`, caller);
  const key = requiredVariable(call, `${prefix}CERT_KEY_PATH`, caller);
  const name = call.env("LEGO_HOOK_CERT_NAME") ||
    requiredVariable(call, "LEGO_CERT_DOMAIN", caller);
  const issuer = call.env(`${prefix}ISSUER_CERT_PATH`) ||
    certificate.replace(/(\.crt)?$/, ".issuer.crt");
  return {
    kind: "issued",
    certificates: [{ name, key, certificates: [certificate], issuer }],
  };
}
