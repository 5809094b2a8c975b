import assert from "node:assert/strict";
import fc from "fast-check";
import { Html, html } from "../../lib/status/html.ts";
import { UNSAFE } from "../unsafe_text.ts";

Deno.test("html`` escapes text, joins lists, leaves out absent values, and keeps markup", () => {
  const inner = html`<b>${"<"}</b>`;
  assert.deepEqual(
    html`<p title="${'"x"'}">${[inner, "&", 7]}${false}${undefined}</p>`.text,
    '<p title="&#34;x&#34;"><b>&#60;</b>&#38;7</p>',
  );
});

Deno.test("html`` makes ASCII without controls of every text, and nothing of it is markup", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const { text: made } = html`${text}`;
    assert.match(made, /^[\x20-\x7e]*$/);
    assert.ok(!/[<>"'`]/.test(made), made);
    // Every ampersand begins a reference to a number, and it ends.
    assert.deepEqual(made.replace(/&#\d{1,7};/g, "").includes("&"), false);
  }));
});

Deno.test("html`` gives back the text to a reader of references, but for controls", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const read = html`${text}`.text.replace(
      /&#(\d+);/g,
      (_, code) => String.fromCodePoint(Number(code)),
    );
    if (!UNSAFE.test(text) && !text.includes("\n")) assert.deepEqual(read, text);
  }));
});

Deno.test("each template of the room puts values into text or into quoted attributes", async () => {
  const room = new URL("../../lib/status/", import.meta.url);
  for await (const { name } of Deno.readDir(room)) {
    const source = await Deno.readTextFile(new URL(name, room));
    if (!source.includes("html`")) continue;
    assert.ok(
      !/=\$\{|<\$\{|<\/\$\{/.test(source.replaceAll("?=${", "")),
      `${name}: a value without quotes`,
    );
    assert.ok(!/(?:href|src)="\$\{(?!ICONS)/.test(source), `${name}: a value as an address`);
    assert.ok(!/<script|\son\w+="|style="/.test(source), `${name}: a script or a style of its own`);
  }
  assert.ok(html`` instanceof Html);
});
