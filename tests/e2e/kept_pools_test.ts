/**
 * Behind proxies that keep their connections to port 80: no request is lost to a connection that
 * acme-lb ends, also not where the proxy may not repeat it.
 */

import assert from "node:assert/strict";
import { startHaproxyAlone, startNginxAlone } from "./redirectors.ts";
import { startLoopback } from "./loopback.ts";
import { lacking } from "./requirements.ts";

const REQUESTS = 20_000;
const CLIENTS = 20;

Deno.test({
  name: "serve loses none of 20,000 requests that come through the pools of nginx and HAProxy",
  ignore: lacking({ for: "kept connections", programs: ["nginx", "haproxy", "h2load"] }),
  async fn() {
    await using server = await startLoopback();
    const { directory, port } = server;
    await using nginx = await startNginxAlone(directory, {
      http: `upstream acme_lb { server 127.0.0.1:${port}; keepalive 16; }`,
      server: `location / {
        proxy_pass http://acme_lb;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host service.example;
        proxy_next_upstream off;
      }`,
    });
    await using haproxy = await startHaproxyAlone(directory, {
      sections: `  default_backend acme_lb
backend acme_lb
  http-reuse always
  retries 0
  server one 127.0.0.1:${port}`,
    });
    for (const front of [nginx, haproxy]) {
      const { code, stdout, stderr } = await new Deno.Command("h2load", {
        args: [
          ...["--h1", `--requests=${REQUESTS}`, `--clients=${CLIENTS}`],
          `http://127.0.0.1:${front.port}/page?a=b`,
        ],
        stdin: "null",
      }).output();
      const text = new TextDecoder().decode(stdout);
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      const status = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(text);
      assert.deepEqual(status?.slice(1), ["0", `${REQUESTS}`, "0", "0"], `${front.name}: ${text}`);
      const log = await Deno.readTextFile(front.daemon.log);
      assert.doesNotMatch(log, /prematurely closed|reset by peer/, front.name);
    }
  },
});
