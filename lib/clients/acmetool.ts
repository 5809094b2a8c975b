/**
 * acmetool's hooks (its _doc/SCHEMA.md, "Hooks"): the event is the first argument, the directory
 * of everything comes as ACME_STATE_DIR.
 *
 * `live-updated` has the changed names on standard input, one a line; a name that cannot be a file
 * name does not prevent the others. Every other event, those of later versions too, is answered
 * with 42, which means "not handled here". Leaves out: the challenge events; with a webroot
 * acmetool needs no help there.
 */

import { type Client, type HookCall, type HookOutcome, requiredEvent } from "./hook.ts";

export const ACMETOOL: Client = {
  hook: acmetoolHook,
  variables: ["ACME_STATE_DIR"],
  setBy: "Set by acmetool.",
};

const NOT_HANDLED = 42;
const DEFAULT_STATE = "/var/lib/acme";

async function acmetoolHook(call: HookCall): Promise<HookOutcome> {
  if (requiredEvent(call, "acmetool") !== "live-updated") {
    return { kind: "ignored", exitCode: NOT_HANDLED };
  }
  const live = `${call.env("ACME_STATE_DIR") || DEFAULT_STATE}/live`;
  const names = (await call.stdin()).split("\n").map((line) => line.trim()).filter(Boolean);
  return {
    kind: "issued",
    certificates: [...new Set(names)].map((name) => {
      const directory = `${live}/${name}`;
      return { name, key: `${directory}/privkey`, certificates: [`${directory}/fullchain`] };
    }),
  };
}
