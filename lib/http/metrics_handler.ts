/** The metrics port: Prometheus text, and a health word for keepalived's track_script. */

import { type Answer, headerLine, methodNotAllowed, NOT_FOUND, textAnswer } from "./answer.ts";
import type { Metrics } from "./metrics.ts";
import type { RequestHead } from "./request_head.ts";

const NOT_ALLOWED = methodNotAllowed("GET, HEAD");
const HEADERS = headerLine("Content-Type", "text/plain; version=0.0.4; charset=utf-8") +
  headerLine("X-Content-Type-Options", "nosniff") + headerLine("Cache-Control", "no-store");

export function createMetricsHandler(metrics: Metrics): (head: RequestHead) => Answer {
  return (head) => {
    if (head.method !== "GET" && head.method !== "HEAD") return NOT_ALLOWED;
    if (head.target === "/healthz") return textAnswer("ok\n");
    if (head.target !== "/metrics") return NOT_FOUND;
    return { status: 200, headers: HEADERS, body: metrics.render(), close: head.body };
  };
}
