/**
 * Takes a certificate with its key from HAProxy's memory, where its own ACME keeps what it has
 * ordered.
 */
import { JobError } from "../errors.ts";
import { findHaproxy, replyText } from "./haproxy_connection.ts";
import { loadedFrom } from "./same_file.ts";
import { quoteReply } from "./replies.ts";
import { SwapFault } from "./swap_fault.ts";

/**
 * What HAProxy has loaded for a file, as PEM: key, leaf, chain.
 * @throws {JobError} naming the socket: nobody answers there, HAProxy is older than 3.1, or has no
 * such certificate
 */
export async function dumpCertificate(
  socket: string,
  target: { name: string; file: string },
): Promise<string> {
  try {
    const { haproxy, inventory } = await findHaproxy(socket);
    const content = { pem: "", fingerprint: "" };
    const [loaded] = await loadedFrom(haproxy, inventory.names, { ...target, content });
    if (!loaded) throw new SwapFault("unknown_name", `it has no certificate named ${target.name}`);
    const text = replyText(await haproxy.ask(`dump ssl cert ${loaded.name}`));
    if (text.startsWith("-----BEGIN ")) return text;
    if (text.startsWith("Unknown command")) {
      throw new SwapFault(
        "refused",
        "this HAProxy has no dump ssl cert, which needs version 3.1 or later",
      );
    }
    // Only the beginning: no part of a key may appear in a message.
    throw new SwapFault("refused", `it said: ${quoteReply(text.split("\n", 1)[0]!)}`);
  } catch (error) {
    if (!(error instanceof SwapFault)) throw error;
    throw new JobError(`cannot take the certificate from ${socket}: ${error.message}`, {
      cause: error,
    });
  }
}
