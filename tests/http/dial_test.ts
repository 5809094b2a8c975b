/** Connecting within a deadline. */

import { dial } from "../../lib/http/dial.ts";

Deno.test("dial() takes a connection that was made while this process had no processor time", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dialled = dial(listener.addr as Deno.NetAddr, {
    timeoutMs: 200,
    signal: new AbortController().signal,
  });
  const end = performance.now() + 600;
  while (performance.now() < end) continue;
  using _ = await dialled;
});
