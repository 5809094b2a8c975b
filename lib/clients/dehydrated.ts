/**
 * dehydrated's hook script (its docs/examples/hook.sh): the event is the first argument.
 *
 * `deploy_cert DOMAIN KEYFILE CERTFILE FULLCHAINFILE CHAINFILE TIMESTAMP` is for us, once for each
 * certificate; `unchanged_cert` comes with the same files at every later run, so it makes good what
 * a hook that failed has left. A hook must stay quiet and succeed for everything else: dehydrated calls it with a made-up event to make
 * sure, takes what `generate_csr` prints for a request, and gives up when one fails.
 */

import { UsageError } from "../errors.ts";
import { type Client, type HookCall, type HookOutcome, lastPart } from "./hook.ts";

export const DEHYDRATED: Client = { hook: dehydratedHook, variables: [], setBy: "" };

function dehydratedHook({ args }: HookCall): HookOutcome {
  const [event, domain, key, _certificate, fullchain] = args;
  if (event === undefined) {
    throw new UsageError(
      'dehydrated\'s event is missing; the hook must pass its arguments on: -- "$@"',
    );
  }
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
