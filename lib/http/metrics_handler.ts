/** The metrics port: Prometheus text, and a health word for keepalived's track_script. */

import { type Answer, headerLine, methodNotAllowed, NOT_FOUND, textAnswer } from "./answer.ts";
import type { Metrics } from "./metrics.ts";
import type { RequestHead } from "./request_head.ts";

const NOT_ALLOWED = methodNotAllowed("GET, HEAD");
const HEADERS = headerLine("Content-Type", "text/plain; version=0.0.4; charset=utf-8") +
  headerLine("X-Content-Type-Options", "nosniff") + headerLine("Cache-Control", "no-store");

/** @param more gives further families of metrics, in the text format; never rejects */
export function createMetricsHandler(
  metrics: Metrics,
  more: () => Promise<string>,
): (head: RequestHead) => Promise<Answer> {
  return async (head) => {
    if (head.method !== "GET" && head.method !== "HEAD") return NOT_ALLOWED;
    if (head.target === "/healthz") return textAnswer("ok\n");
    if (head.target !== "/metrics") return NOT_FOUND;
    const body = await more() + metrics.render();
    return { status: 200, headers: HEADERS, body, close: head.body };
  };
}
