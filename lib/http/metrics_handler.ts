/** The metrics port: Prometheus text, and a health word for keepalived's track_script. */

import { type Answer, headerLine, methodNotAllowed, NOT_FOUND, textAnswer } from "./answer.ts";
import type { Health } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import type { RequestHead } from "./request_head.ts";

const NOT_ALLOWED = methodNotAllowed("GET, HEAD");
const HEADERS = headerLine("Content-Type", "text/plain; version=0.0.4; charset=utf-8") +
  headerLine("X-Content-Type-Options", "nosniff") + headerLine("Cache-Control", "no-store");

interface MetricsHandlerOptions {
  metrics: Metrics;
  /** Further families of metrics, in the text format; never rejects. */
  more: () => Promise<string>;
  health: () => Health;
}

export function createMetricsHandler(
  { metrics, more, health }: MetricsHandlerOptions,
): (head: RequestHead) => Promise<Answer> {
  return async ({ method, target }) => {
    if (method !== "GET" && method !== "HEAD") return NOT_ALLOWED;
    const path = target.replace(/\?.*$/, "");
    if (path === "/healthz") return healthAnswer(health());
    if (path !== "/metrics") return NOT_FOUND;
    const body = await more() + metrics.render();
    return { status: 200, headers: HEADERS, body, close: false };
  };
}

/** `ok`, or what is wrong line by line; 503 where one of these is a fault. */
function healthAnswer({ faults, notes }: Health): Answer {
  const lines = [
    ...faults.length === 0 ? ["ok"] : faults.map((fault) => `fault: ${fault}`),
    ...notes.map((note) => `note: ${note}`),
  ];
  const answer = textAnswer(lines.join("\n") + "\n");
  return faults.length === 0 ? answer : { ...answer, status: 503 };
}
