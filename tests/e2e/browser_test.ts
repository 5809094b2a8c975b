/** A browser comes from http to https, with as many cookies as HAProxy with default buffers takes. */

import assert from "node:assert/strict";
import { runExecutable } from "../executable.ts";
import { startChromium } from "./chromium.ts";
import { startLoopback } from "./loopback.ts";
import { startHaproxyAlone } from "./redirectors.ts";
import { lacking } from "./requirements.ts";

/** Each near the largest that a browser keeps. */
const COOKIES = ["session", "consent", "analytics", "basket"].map((name, i) => ({
  name,
  value: String(i).repeat(3_000),
  domain: ".shop.example",
}));
/** As typed by a user; the address of the page on which Chromium ends. */
const VISITS = [
  ["http://shop.example/", "https://shop.example/"],
  ["http://tenant_one.shop.example/a?b=1#c", "https://tenant_one.shop.example/a?b=1#c"],
  ["http://www-.shop.example//double", "https://www-.shop.example//double"],
  [
    "http://shop.example/ü?q=a b|c[]={}^`",
    "https://shop.example/%C3%BC?q=a%20b%7Cc%5B%5D=%7B%7D%5E%60",
  ],
];

Deno.test({
  name: "Chromium with 12 KiB of cookies follows the redirect to https",
  ignore: lacking({ for: "a browser at port 80", programs: ["chromium", "haproxy"] }),
  async fn() {
    await using server = await startLoopback();
    const { directory } = server;
    const pem = `${directory}/shop.pem`;
    const names = ["--name", "shop.example", "--name", "*.shop.example"];
    assert.equal((await runExecutable(["self-signed", ...names, "--out", pem])).code, 0);
    await using service = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      ({ headers }) =>
        new Response(`${headers.get("cookie")?.length ?? "no"} bytes of cookies`, {
          headers: { "content-type": "text/html" },
        }),
    );
    await using haproxy = await startHaproxyAlone(directory, {
      pem,
      sections: `  default_backend service
backend service
  server one 127.0.0.1:${service.addr.port}`,
    });
    await using chromium = await startChromium({
      directory,
      hosts: [`*:80 127.0.0.1:${server.port}`, `*:443 127.0.0.1:${haproxy.port}`],
    });
    await chromium.setCookies(COOKIES);
    for (const [typed, reached] of VISITS) {
      const page = await chromium.open(typed!);
      assert.equal(await page.evaluate("location.href"), reached);
      assert.equal(await page.evaluate("document.body.textContent"), "12039 bytes of cookies");
      // It was this redirect, and not a browser that prefers https by itself.
      assert.deepEqual(page.redirects[0], { status: 301, to: reached!.replace(/#.*/, "") }, typed);
      await page.close();
    }
  },
});
