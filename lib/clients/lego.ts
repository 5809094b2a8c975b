/**
 * lego's hooks: `--run-hook` and `--renew-hook` of version 4 (LEGO_CERT_…), the deploy hook of
 * version 5 (LEGO_HOOK_CERT_…; its migration guide, "Hooks").
 *
 * The certificate's file holds the chain unless lego runs with `--no-bundle`; the issuer's file,
 * which versions before 4.18 do not name, stands beside it. What both hold is used once.
 */

import { fileStem, type HookCall, type HookOutcome, requiredVariable } from "./hook.ts";

export function legoHook(call: HookCall): HookOutcome {
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
    certificates: [{ stem: fileStem(name), key, certificates: [certificate], issuer }],
  };
}
