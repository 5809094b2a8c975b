/** The targets of a self-test: new each time, so that no cache and no old file can answer. */

import { nodesWith } from "../config/own_node.ts";
import type { Config } from "../config/schema.ts";
import { CHALLENGE_PREFIX, isToken } from "../http/challenge_path.ts";
import type { Questions } from "./ask_paths.ts";

/** A token of its own for a directory in which some client may write. */
export interface TokenPlace {
  webroot: string;
  directory: string;
  token: string;
  text: string;
}

/** The questions, and the text that the planted token has. */
export type Plan = Questions & { text: string };

/** Tells the log's reader whose token that is. */
const PREFIX = "acme-lb-self-test-";

/** A token and a key authorization as long as the CA's: 43 and 87 characters (RFC 8555 8.1). */
export function randomPlan(): Plan {
  return { ...otherQuestions(), ...randomKey() };
}

function randomKey(): { token: string; text: string } {
  const token = randomToken();
  return { token, text: `${token}.${randomText().slice(0, 43)}` };
}

/**
 * Every place but the first webroot itself, where the main token stands: each webroot flat, as
 * acmetool and dehydrated write, and nested, as certbot and lego do.
 */
export function otherPlaces(webroots: readonly string[]): TokenPlace[] {
  return webroots.flatMap((webroot) =>
    [webroot, webroot + CHALLENGE_PREFIX.slice(0, -1)].map(
      (directory) => ({ webroot, directory, ...randomKey() }),
    )
  ).slice(1);
}

/** The source document's own test: a file named after the balancer, with `Hello World` in it. */
export function documentPlan(config: Config, machine: readonly string[]): Plan {
  const [name = ""] = machine.flatMap((address) => nodesWith(config, [address]));
  const [label = ""] = name.split(".");
  return { ...otherQuestions(), token: isToken(label) ? label : "lb0", text: "Hello World" };
}

function otherQuestions(): Pick<Questions, "unknown" | "page"> {
  return { unknown: randomToken(), page: `/acme-lb-self-test?from=${randomText().slice(0, 8)}` };
}

function randomToken(): string {
  return (PREFIX + randomText()).slice(0, 43);
}

function randomText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(33));
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
