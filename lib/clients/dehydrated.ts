/**
 * dehydrated's hook script (its docs/examples/hook.sh): the event is the first argument.
 *
 * `deploy_cert DOMAIN KEYFILE CERTFILE FULLCHAINFILE CHAINFILE TIMESTAMP` is for us, once for each
 * certificate; `unchanged_cert` comes with the same files at every later run, so it completes what
 * a failed hook has left undone. For every other event a hook must print nothing and succeed:
 * dehydrated calls it with an invented event to check this, uses the output of `generate_csr` as
 * the request, and stops when a hook fails.
 */

import { UsageError } from "../errors.ts";
import { type Client, type HookCall, type HookOutcome, lastPart, requiredEvent } from "./hook.ts";

export const DEHYDRATED: Client = { hook: dehydratedHook, variables: [], setBy: "" };

function dehydratedHook(call: HookCall): HookOutcome {
  const event = requiredEvent(call, "dehydrated");
  const [, domain, key, _certificate, fullchain] = call.args;
  if (event !== "deploy_cert" && event !== "unchanged_cert") {
    return { kind: "ignored", exitCode: 0 };
  }
  if (!domain || !key || !fullchain) {
    throw new UsageError(`${event} takes DOMAIN KEYFILE CERTFILE FULLCHAINFILE CHAINFILE`);
  }
  // The directory, because an alias gives one domain several certificates.
  const directory = lastPart(key.slice(0, key.lastIndexOf("/") + 1)) || domain;
  return {
    kind: "issued",
    certificates: [{ name: directory, key, certificates: [fullchain] }],
    again: event === "unchanged_cert",
  };
}
