/**
 * Records the result of each run of `assemble-pem`, which `serve` reports; see
 * lib/status/hook_state.ts.
 */

import { loadConfig } from "../config/load.ts";
import { readContents } from "../expiry/read_certificates.ts";
import { tryToRead } from "../read_input.ts";
import { leaveHookState, type LeftLeaf, STATE_DIRECTORY } from "../status/hook_state.ts";
import { isoSeconds } from "../time.ts";

interface ResultOptions {
  /** Where the result is left; see {@link stateDirectory}. */
  directory: string;
  /** The client of `--hook`. */
  client: string | undefined;
  /** The PEM file that is written. */
  out: string;
}

/** That of the configuration. A wrong configuration must not prevent a hook from running. */
export async function stateDirectory(file: string | undefined): Promise<string> {
  try {
    return (await loadConfig(file)).config.state;
  } catch {
    return STATE_DIRECTORY;
  }
}

/**
 * Does the work and records the result, with the certificate that is in the file afterwards. If it
 * cannot be recorded, that is not a failure of the hook, and nothing is printed.
 * @param work returns why it failed; undefined when it did not
 */
export async function leavingResult(
  { directory, client = "assemble-pem", out }: ResultOptions,
  work: () => Promise<string | undefined>,
): Promise<string | undefined> {
  const before = await leafAt(out);
  const failure = await work();
  const leaf = await leafAt(out);
  await leaveHookState(directory, {
    ...{ client, out, ok: failure === undefined, text: failure ?? "" },
    renewed: leaf !== undefined && leaf.serial !== before?.serial,
    leaf: failure === undefined ? leaf : undefined,
  });
  return failure;
}

/** The public facts of a file's leaf; undefined when none can be read. */
async function leafAt(path: string): Promise<LeftLeaf | undefined> {
  const read = await tryToRead(path);
  if (!("bytes" in read)) return undefined;
  try {
    const { certificates: [leaf], leafKnown } = readContents(read.bytes);
    if (!leaf || !leafKnown) return undefined;
    return {
      names: leaf.names.map(({ value }) => value),
      serial: leaf.serial,
      issuer: leaf.issuer.text,
      not_before: isoSeconds(leaf.notBefore),
      not_after: isoSeconds(leaf.notAfter),
    };
  } catch {
    return undefined;
  }
}
