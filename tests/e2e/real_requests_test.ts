/**
 * Port 80 beside others: what nginx and HAProxy both redirect, acme-lb redirects too, unless the
 * table has a reason.
 */

import assert from "node:assert/strict";
import { firstAnswer, REAL_REQUESTS } from "../http/real_requests.ts";
import { startLoopback } from "./loopback.ts";
import { startHaproxyAlone, startNginxAlone } from "./redirectors.ts";
import { lacking } from "./requirements.ts";

Deno.test({
  name: "serve redirects what nginx and HAProxy both redirect, of what real programs send",
  ignore: lacking({ for: "redirects beside others", programs: ["nginx", "haproxy"] }),
  async fn() {
    await using server = await startLoopback();
    const { directory } = server;
    await using nginx = await startNginxAlone(directory, {
      server: "location / { return 301 https://$host$request_uri; }",
    });
    await using haproxy = await startHaproxyAlone(directory, {
      sections: "  http-request redirect scheme https",
    });
    const redirects = async (port: number, request: (typeof REAL_REQUESTS)[number]) => {
      const { status } = await firstAnswer(port, request);
      return status >= 300 && status < 400;
    };
    let others = 0;
    for (const request of REAL_REQUESTS) {
      const both = await redirects(nginx.port, request) && await redirects(haproxy.port, request);
      if (both) others++;
      const ours = await redirects(server.port, request);
      const name = `${request.program}: ${request.text.slice(0, 200)}`;
      assert.ok(ours || !both || request.refused, name);
      // A reason that is no longer needed must go.
      assert.ok(!ours || !request.refused, name);
    }
    // Else the comparison would hold for want of comparing.
    assert.ok(others > REAL_REQUESTS.length / 2, `${others} of ${REAL_REQUESTS.length}`);
  },
});
