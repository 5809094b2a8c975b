/** The bytes that a connection has received and not dropped, for pieces of any size. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { BufferPool, ReceivedBytes } from "../../lib/http/received_bytes.ts";
import { MAX_HEAD_BYTES } from "../../lib/http/request_head.ts";

Deno.test("the buffer has the bytes added and not dropped, for any pieces", () => {
  const pool = new BufferPool();
  const step = fc.record({ add: fc.nat(3_000), drop: fc.nat(3_000) });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const received = new ReceivedBytes(pool);
    let expected: number[] = [];
    let next = 0;
    for (const { add, drop } of steps) {
      // A head that is longer is refused before more room is asked for.
      if (expected.length < MAX_HEAD_BYTES) {
        const room = received.room();
        assert.ok(room.length > 0);
        const count = Math.min(add, room.length);
        for (let i = 0; i < count; i++) expected.push(room[i] = next++ % 251);
        received.added(count);
      }
      const dealt = Math.min(drop, expected.length);
      received.drop(dealt);
      expected = expected.slice(dealt);
      if (expected.length === 0) received.reset();
      assert.equal(received.length, expected.length);
      assert.deepEqual([...received.bytes], expected);
    }
    received.release();
  }));
});

Deno.test("two connections never share a buffer; one that grew is not kept", () => {
  const pool = new BufferPool();
  const one = new ReceivedBytes(pool);
  const other = new ReceivedBytes(pool);
  assert.notEqual(one.room().buffer, other.room().buffer);
  const usual = other.room().length;
  one.added(one.room().length);
  assert.ok(one.room().length > usual);
  one.drop(one.length);
  one.reset();
  assert.equal(one.room().length, usual);
  one.release();
  // Given back once, however often it is said.
  one.release();
  assert.notEqual(new ReceivedBytes(pool).room().buffer, new ReceivedBytes(pool).room().buffer);
});
