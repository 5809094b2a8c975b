/**
 * Whether other targets than challenges are redirected to the same page over https, and without
 * HSTS, which RFC 6797 section 7.2 forbids over plain HTTP.
 */

import type { Reply } from "../http/ask.ts";
import { fault, type SelfTestFinding } from "./findings.ts";
import { quoted, statusOf } from "./diagnosis_context.ts";

/** Those that the CA follows, too (Boulder, va/http.go). */
const REDIRECTS = [301, 302, 307, 308];

/** What is wrong with the answer to a page that was asked for under the host. */
export function redirectFindings(
  reply: Reply,
  { host, page, httpsPort }: { host: string; page: string; httpsPort: number },
): SelfTestFinding[] {
  if ("fault" in reply) {
    return [fault("no_redirect", `${reply.fault} instead of a redirect to https`)];
  }
  const findings: SelfTestFinding[] = [];
  const port = httpsPort === 443 ? "" : `:${httpsPort}`;
  const expected = `https://${host}${port}${page}`;
  const location = reply.fields["location"];
  if (reply.status === 421) {
    const text = `HTTP 421: ${host} is not in redirect.hosts there`;
    findings.push(fault("no_redirect", text));
  } else if (!REDIRECTS.includes(reply.status) || location === undefined) {
    findings.push(fault("no_redirect", `${statusOf(reply)} instead of a redirect to https`));
  } else if (location !== expected) {
    findings.push(fault("location", `it redirects to ${quoted(location)} instead of ${expected}`));
  }
  if (reply.fields["strict-transport-security"] !== undefined) {
    findings.push(fault(
      "hsts",
      "Strict-Transport-Security over plain HTTP, which RFC 6797 forbids; send it from HAProxy",
    ));
  }
  return findings;
}
