import { HeadReader, type HeadResult } from "../../lib/http/request_head.ts";

/** A request head that has arrived as far as it will: `bytes` from `start` to `end`. */
export function parseRequestHead(bytes: Uint8Array, start = 0, end = bytes.length): HeadResult {
  return new HeadReader().read(bytes, start, end);
}
