/**
 * The challenge port's answer to another balancer that asks what this one knows of itself.
 *
 * Only to balancers, by their addresses, as the digest of the configuration is told: anybody else
 * gets what any other target gets, so a scanner does not even learn that there is something.
 */

import { type Answer, headerLine } from "../http/answer.ts";
import type { Handler } from "../http/connection.ts";
import type { PeerAddresses } from "../http/peer_addresses.ts";
import { printable } from "../log.ts";
import { type BalancerReport, BOUNDS, STATUS_TARGET } from "./balancer_report.ts";

interface ReportHandlerOptions {
  report: () => Promise<BalancerReport>;
  /** Who is told. */
  told: Pick<PeerAddresses, "includes">;
  /** Answers everything else. */
  otherwise: Handler;
}

const HEADERS = headerLine("Content-Type", "application/json") +
  headerLine("X-Content-Type-Options", "nosniff") +
  headerLine("Content-Security-Policy", "default-src 'none'; sandbox") +
  headerLine("Cache-Control", "no-store");

export function createReportHandler({ report, told, otherwise }: ReportHandlerOptions): Handler {
  return async (head, from, ...rest) => {
    const asked = head.target === STATUS_TARGET && head.method === "GET" && !head.body;
    if (!asked || !await told.includes(from)) return await otherwise(head, from, ...rest);
    return reportAnswer(await report());
  };
}

/**
 * Within the bounds of a report: certificates with many long names may not all have room, and the
 * worst, which stand first, stay.
 */
function reportAnswer(report: BalancerReport): Answer {
  let body = asciiLine(report);
  for (let left = report.certificates.length; body.length > BOUNDS.bytes && left > 0;) {
    left = Math.floor(left / 2);
    body = asciiLine({ ...report, certificates: report.certificates.slice(0, left) });
  }
  return { status: 200, headers: HEADERS, body, close: true };
}

/** JSON in ASCII, so that its length in bytes is that of the text. */
function asciiLine(report: BalancerReport): string {
  const line = printable(JSON.stringify(report), "\\u").replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${line}\n`;
}
