/**
 * What may be sent to HAProxy: names and PEM that cannot turn into commands.
 *
 * A blank line inside a payload ends it, and HAProxy then executes the rest as commands with the
 * rights of an admin (doc/management.txt warns of it; measured with 2.6.12). A space or semicolon
 * in a name does the same on the command line. So both are checked here, wherever they come from.
 */
import { JobError } from "../errors.ts";

/** The kinds of block that HAProxy reads from a PEM file. */
const LABELS = /^(?:CERTIFICATE|(?:RSA |EC )?PRIVATE KEY|(?:DH|EC) PARAMETERS)$/;

/** RFC 7468 section 3 writes 64 columns; up to 76 are read, as RFC 1421's heirs write them. */
const BASE64_LINE = /^[A-Za-z0-9+/]{1,76}={0,2}$/;

/** Suffixes with which HAProxy means a part of the certificate named before them. */
const PART = /\.(?:key|ocsp|issuer|sctl)$/;

/**
 * Why `name` cannot be used on HAProxy's command line, undefined when it can. Refused: what the
 * command line splits at or unescapes, a leading `*`, which there means a transaction, and the
 * suffixes with which a part of another certificate is meant.
 */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name.length > 1024) return "it is longer than 1024 characters";
  if (name.startsWith("*")) return "it begins with *, which HAProxy takes for a transaction";
  const part = PART.exec(name)?.[0];
  if (part) return `it ends in ${part}, which HAProxy takes for a part of another certificate`;
  const bad = /[\s\p{C}\\;"'<>#]/u.exec(name)?.[0];
  return bad && `it holds ${JSON.stringify(bad)}, at which HAProxy's command line splits`;
}

/**
 * `pem` as the payload of a command, final newline included.
 * @throws {JobError} when it is anything but whole PEM blocks, one below the other, of the labels
 * that HAProxy reads; the text itself never appears in the message
 */
export function pemPayload(pem: string): string {
  const lines = pem.split("\n");
  if (lines.at(-1) === "") lines.pop();
  let open: string | undefined;
  let content = 0;
  for (const [index, line] of lines.entries()) {
    const refuse = (why: string) =>
      new JobError(`refused to send PEM to HAProxy: line ${index + 1} ${why}`);
    const [, boundary, label] = /^-----(BEGIN|END) ([A-Z0-9 ]+)-----$/.exec(line) ?? [];
    if (boundary === "BEGIN") {
      if (open !== undefined) throw refuse("opens a block inside another");
      if (!LABELS.test(label!)) throw refuse("opens a block of a kind that HAProxy does not read");
      [open, content] = [label, 0];
    } else if (boundary === "END") {
      if (open !== label || content === 0) throw refuse("ends a block that is not open or empty");
      open = undefined;
    } else if (line === "") {
      throw refuse("is blank, which would end the payload");
    } else if (open === undefined || !BASE64_LINE.test(line)) {
      throw refuse("is not PEM");
    } else {
      content++;
    }
  }
  if (open !== undefined || lines.length === 0) {
    throw new JobError("refused to send PEM to HAProxy: it holds no whole block");
  }
  return lines.join("\n") + "\n";
}
