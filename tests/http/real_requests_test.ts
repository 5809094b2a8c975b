/** What real programs send to port 80 leads to https, or is refused for a reason that is written down. */

import assert from "node:assert/strict";
import { publicPort } from "./raw_client.ts";
import { firstAnswer, REAL_REQUESTS } from "./real_requests.ts";

Deno.test("every request of the table is redirected, except those with a reason", async () => {
  await using server = await publicPort();
  assert.ok(REAL_REQUESTS.length >= 200, `${REAL_REQUESTS.length} requests`);
  for (const request of REAL_REQUESTS) {
    const { status, location } = await firstAnswer(server.port, request);
    const name = `${request.program}: ${request.text.slice(0, 100)}`;
    assert.deepEqual(
      [301, 308].includes(status),
      request.refused === undefined,
      `${name}: ${status}`,
    );
    if (request.refused === undefined) {
      assert.match(location, /^https:\/\/[a-z0-9.:[\]_-]+\/[!-~]*$/, name);
    } else assert.ok(status >= 400, `${name}: ${status}`);
  }
});
