/**
 * Takes a certificate with its key from HAProxy's memory, where its own ACME keeps what it has
 * ordered.
 */
import { JobError } from "../errors.ts";
import { findHaproxy, type HaproxyOptions, replyText } from "./haproxy_connection.ts";
import type { LoadedCertificate } from "./loaded_certificates.ts";
import { loadedFrom } from "./same_file.ts";
import { isDenied, quoteReply } from "./replies.ts";
import { SwapFault } from "./swap_fault.ts";

/**
 * What HAProxy has loaded for a file, as PEM: key, leaf, chain. An open transaction is not part of
 * it.
 * @throws {JobError} naming the socket: nobody answers there, HAProxy is older than 3.1, has no such
 * certificate, or has one without its key
 */
export async function dumpCertificate(
  socket: string,
  target: { name: string; file: string },
  options: HaproxyOptions = {},
): Promise<string> {
  try {
    const { haproxy, inventory } = await findHaproxy(socket, options);
    const content = { pem: "", fingerprint: "" };
    const [loaded] = await loadedFrom(haproxy, inventory.names, { ...target, content });
    if (!loaded) throw new SwapFault("unknown_name", `it has no certificate named ${target.name}`);
    return dumpedPem(replyText(await haproxy.ask(`dump ssl cert ${loaded.name}`)), loaded);
  } catch (error) {
    if (!(error instanceof SwapFault)) throw error;
    throw new JobError(`cannot take the certificate from ${socket}: ${error.message}`, {
      cause: error,
    });
  }
}

/**
 * The PEM in the answer to `dump ssl cert`, all of it. HAProxy ends every answer with a blank line,
 * also one that it breaks off for want of memory, within a block or between two: so the last block
 * is looked at too, and the blocks are counted. It writes nothing for a certificate that has no key.
 * @throws {SwapFault} for any other answer; the message holds no part of a key
 */
export function dumpedPem(
  text: string,
  { name, chainLength = 0 }: Pick<LoadedCertificate, "name" | "chainLength">,
): string {
  if (text.trim() === "") {
    throw new SwapFault(
      "refused",
      `it has no key for ${name} in memory: HAProxy's own ACME may not have ordered it yet`,
    );
  }
  if (text.startsWith("Unknown command")) {
    throw new SwapFault(
      "refused",
      "this HAProxy has no dump ssl cert, which needs version 3.1 or later",
    );
  }
  if (isDenied(text)) throw new SwapFault("denied", "this socket is not `level admin`");
  if (!text.startsWith("-----BEGIN ")) {
    // Only the beginning: no part of a key may appear in a message.
    throw new SwapFault("refused", `it said: ${quoteReply(text.split("\n", 1)[0]!)}`);
  }
  const certificates = text.split("-----BEGIN CERTIFICATE-----").length - 1;
  if (!/\n-----END [A-Z0-9 ]+-----\n\n$/.test(text) || certificates < 1 + chainLength) {
    throw new SwapFault("broken", `its answer to dump ssl cert ${name} broke off: run this again`);
  }
  return text;
}
