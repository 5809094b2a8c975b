/**
 * A proxy of the environment is not for questions between balancers.
 *
 * Alone: the environment is that of the whole process, and of what other tests start.
 */

import assert from "node:assert/strict";
import { askPeer } from "../../lib/http/peer_answer.ts";
import { latin1 } from "../http/raw_client.ts";
import { peerThat } from "../http/scripted_peer.ts";

const ANSWER = "HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\ntok.thumb";

Deno.test("askPeer() opens no proxy of the environment", async () => {
  await using peer = peerThat((conn) => conn.write(latin1(ANSWER)).then(() => {}));
  const names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
  for (const name of names) Deno.env.set(name, "http://127.0.0.1:1");
  try {
    const { outcome } = await askPeer(peer.address, {
      token: "tok",
      host: "service.example",
      connectTimeoutMs: 10_000,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
    assert.equal(outcome, "found");
  } finally {
    for (const name of names) Deno.env.delete(name);
  }
});
