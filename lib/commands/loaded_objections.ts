/**
 * What keeps assemble-pem from replacing what a running HAProxy has loaded: something newer in its
 * memory, or a key in a file of its own.
 */

import { isOlder } from "../cert/age.ts";
import type { Bundle } from "../cert/bundle.ts";
import { type Certificate, issuanceOf, PLACEHOLDER_MARK, titleOf } from "../cert/certificate.ts";
import type { Installed } from "../cert/installed.ts";
import { parsePem } from "../cert/pem.ts";
import { keyFits, readPrivateKey } from "../cert/private_key.ts";
import { JobError } from "../errors.ts";
import type { KeyFile } from "../haproxy/install_pem.ts";
import type { Running } from "../haproxy/swap_state.ts";
import { readIfPresent } from "../read_input.ts";
import { isoSeconds } from "../time.ts";

/**
 * A sentence for each newer certificate in memory. HAProxy's own ACME leaves what it has ordered
 * there; it would be lost.
 */
export function memoryObjections(
  { leaf, fingerprint }: { leaf: Certificate; fingerprint: string },
  running: readonly Running[],
): string[] {
  return running.flatMap(({ socket, loaded }) =>
    loaded.flatMap((one) => {
      const { name, notBefore, notAfter, authority = "" } = one;
      if (!notBefore || !notAfter || one.fingerprintSha1 === fingerprint) return [];
      if (one.organisation === PLACEHOLDER_MARK) return [];
      const standing = { notBefore, notAfter, authority };
      if (isOlder(issuanceOf(leaf), standing) !== "older") return [];
      const theirs = `serial ${one.serial}, valid from ${isoSeconds(notBefore)}`;
      return [
        `${titleOf(leaf)} is older than what HAProxy at ${socket} has in memory as ${name} ` +
        `(${theirs}): save that with --from-haproxy, or replace it with --force`,
      ];
    })
  );
}

/**
 * A sentence for each certificate whose key HAProxy reads from another file, as `key` in a crt-store
 * names it (HAProxy tells from 3.2 on): the two files cannot be exchanged in one step.
 */
export function separateKeys(running: readonly Running[]): string[] {
  return running.flatMap(({ socket, loaded }) =>
    loaded.flatMap(({ name, crtFile, keyFile }) => {
      if (!keyFile || !crtFile || keyFile === crtFile || keyFile === `${crtFile}.key`) return [];
      return [
        `HAProxy at ${socket} reads the key of ${name} from ${keyFile}, which would not match the certificate at its ` +
        `next start: leave "key" out of the crt-store, so that the key is read from ${crtFile}`,
      ];
    })
  );
}

/**
 * HAProxy's file NAME.key beside the target, when it holds another key: from there the key is read
 * while the target holds none. Undefined when there is no such file.
 * @throws {JobError} when the target holds only a certificate, and its key cannot be found
 */
export async function findKeyFile(
  path: string,
  { bundle, installed, force }: { bundle: Bundle; installed?: Installed; force: boolean },
): Promise<KeyFile | undefined> {
  const alone = installed?.leaf !== undefined && !installed.holdsKey;
  // With `ssl-load-extra-del-ext` .key replaces .crt.
  const candidates = [`${path}.key`, ...alone ? [path.replace(/\.crt$/, ".key")] : []];
  for (const candidate of candidates) {
    const previous = candidate === path ? undefined : await readIfPresent(candidate);
    if (!previous) continue;
    if (await holdsKeyOf(previous, bundle.leaf)) return undefined;
    return { path: candidate, content: bundle.keyPem, previous };
  }
  if (!alone || force) return undefined;
  throw new JobError(
    `${path} is not written: it holds a certificate without its key, so HAProxy reads the key from ` +
      `another file, which would not match it at the next start: put that key into ${path}, and leave ` +
      `"key" out of the crt-store (--force overrides this)`,
  );
}

async function holdsKeyOf(bytes: Uint8Array, leaf: Certificate): Promise<boolean> {
  try {
    const [block] = parsePem(bytes).filter(({ label }) => label.endsWith("PRIVATE KEY"));
    return block !== undefined && keyFits(await readPrivateKey(block), leaf);
  } catch {
    return false;
  }
}
