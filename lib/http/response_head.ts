/** The head of an HTTP/1 response: as much of it as those who ask other balancers look at. */

export interface ResponseHead {
  /** Three digits. */
  status: string;
  /** All values of a header field, in their order; the name in lower case. */
  named(name: string): string[];
  /** Every field, the names in lower case. */
  fields: [name: string, value: string][];
  /** Where the body begins. */
  length: number;
}

/**
 * The head at the start of the text (one character a byte), `incomplete` when its end has not
 * come yet, or `malformed`.
 */
export function parseResponseHead(text: string): ResponseHead | "incomplete" | "malformed" {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return "incomplete";
  const [statusLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1];
  if (status === undefined) return "malformed";
  const fields = lines.filter((line) => line.includes(":")).map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return {
    status,
    fields,
    named: (name) => fields.filter(([key]) => key === name).map(([, value]) => value),
    length: headEnd + 4,
  };
}
