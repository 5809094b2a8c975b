/**
 * The status page as people see it: in Chromium, on a wide screen and a telephone, light and dark,
 * with fleets that are well, that have every fault, and that are large.
 */

import assert from "node:assert/strict";
import axe from "axe-core";
import type { FleetView } from "../../lib/status/fleet.ts";
import { createPageHandler } from "../../lib/status/page_handler.ts";
import { largeFleet, sampleView, troubledFleet } from "../status/sample_fleet.ts";
import { type Chromium, type Page, startChromium, type View } from "./chromium.ts";
import { lacking } from "./requirements.ts";

const missing = lacking({ for: "the status page in a browser", programs: ["chromium"] });

const FLEETS: Record<string, FleetView> = {
  "all is well": sampleView(),
  "faults of every kind": troubledFleet(),
  "twenty balancers, long names": largeFleet(),
};

const VIEWS: Required<View>[] = [1280, 390].flatMap((width) =>
  (["light", "dark"] as const).map((scheme) => ({ width, height: 844, scheme }))
);

let directory: string;
let chromium: Chromium;

Deno.test.beforeAll(async () => {
  if (missing) return;
  directory = await Deno.makeTempDir({ prefix: "acme-lb-page-" });
  chromium = await startChromium({ directory });
});

Deno.test.afterAll(async () => {
  await chromium?.[Symbol.asyncDispose]();
  if (directory) await Deno.remove(directory, { recursive: true });
});

for (const [name, fleet] of Object.entries(FLEETS)) {
  Deno.test({
    name: `${name}: no error, nothing wider than the screen, and accessible`,
    ignore: missing,
    fn: async () => {
      await using server = servePage(fleet);
      for (const view of VIEWS) {
        const where = `${view.width} pixels, ${view.scheme}`;
        const page = await chromium.open(server.url, view);
        assert.deepEqual(page.errors, [], where);
        const dark = await page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
        assert.equal(brightness(dark) < 128, view.scheme === "dark", `${where}: ${dark}`);
        assert.deepEqual(await page.evaluate(WIDER), [], where);
        assert.deepEqual(await violations(page), [], where);
        // Those that the checks themselves might have met.
        assert.deepEqual(page.errors, [], where);
        await page.close();
      }
    },
  });
}

/**
 * What is wider than the screen: the document, or what it would cut off. The matrix of a large fleet
 * scrolls by itself, and the heads of tables are hidden where rows are blocks.
 */
const WIDER = `(() => {
  const screen = window.innerWidth;
  const all = [...document.querySelectorAll("body *")];
  const wide = all.filter((element) => {
    const { left, right } = element.getBoundingClientRect();
    return !element.closest(".scroll *, .stack thead") && (left < -1 || right > screen + 1);
  });
  const whole = document.documentElement.scrollWidth;
  return [
    ...whole > screen ? ["the document: " + whole] : [],
    ...wide.slice(0, 10).map((element) => element.tagName + " " + element.textContent.slice(0, 40)),
  ];
})()`;

/** What axe finds, by rule and element. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(`${axe.source}; undefined`);
  return await page.evaluate(`axe.run().then(({ violations }) => violations.flatMap(
    ({ id, nodes }) => nodes.map(({ html }) => id + ": " + html)))`);
}

/** @param colour as `rgb(18, 22, 28)` */
function brightness(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map(Number);
  return (red + green + blue) / 3;
}

/** The page with its own headers, as the metrics port sends them. */
function servePage(fleet: FleetView): { url: string } & AsyncDisposable {
  const page = createPageHandler({
    ask: () => Promise.resolve(fleet),
    onError: (error) => {
      throw error;
    },
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const answer = await page(pathname + search);
    if (!answer) return new Response(null, { status: 404 });
    const fields = answer.headers.trimEnd().split("\r\n").map((line) => line.split(/: (.*)/, 2));
    return new Response(answer.body, {
      status: answer.status,
      headers: fields as [string, string][],
    });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/?still`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
