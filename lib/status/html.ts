/**
 * HTML in which nothing that a value holds can become markup.
 *
 * A template function of thirty lines and not a library: those of the registry (hono/html, preact's
 * renderer, escape-html, html-template-tag) escape only for browsers, while a page of this server
 * must also be ASCII, whose length in bytes is that of the text, and show controls and direction
 * marks as what they are.
 */

import { printable } from "../log.ts";

/** Markup that was made by {@link html}. */
export class Html {
  constructor(readonly text: string) {}
}

export type HtmlValue = string | number | Html | false | undefined | readonly HtmlValue[];

/**
 * Markup from a template. Values are text, in the content of an element or in an attribute within
 * double quotes, and nowhere else; lists are joined, false and undefined leave nothing.
 */
export function html(strings: TemplateStringsArray, ...values: HtmlValue[]): Html {
  const parts = partsOf(strings);
  return new Html(
    parts.map((text, i) => i < values.length ? text + markupOf(values[i]!) : text).join(""),
  );
}

/** Each template once: it is evaluated for each row of a table. */
const known = new WeakMap<TemplateStringsArray, string[]>();

/** The parts between the values, without the indentation that the source has. */
function partsOf(strings: TemplateStringsArray): string[] {
  let parts = known.get(strings);
  if (!parts) {
    parts = strings.map((text) => text.replace(/\n\s*/g, "\n"));
    parts[0] = parts[0]!.trimStart();
    parts[parts.length - 1] = parts.at(-1)!.trimEnd();
    known.set(strings, parts);
  }
  return parts;
}

function markupOf(value: HtmlValue): string {
  if (value instanceof Html) return value.text;
  if (value === false || value === undefined) return "";
  if (typeof value === "object") return value.map(markupOf).join("");
  return escaped(String(value));
}

function escaped(text: string): string {
  // Controls first: as references they would be errors of the page, or turn text round.
  return printable(text, "\\u").replace(
    /[&<>"'`]|[^\x20-\x7e]/gu,
    (char) => `&#${char.codePointAt(0)};`,
  );
}
