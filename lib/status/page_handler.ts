/**
 * The status page at `/` of the metrics port.
 *
 * However many look at it, the balancers are asked at most every two seconds, and the page is made
 * as often; what makes it is loaded when the first one looks.
 */

import { type Answer, headerLine } from "../http/answer.ts";
import { createFreshLook } from "../fresh_look.ts";
import { type Clock, SYSTEM_CLOCK } from "../time.ts";
import type { FleetView } from "./fleet.ts";

const FRESH_MS = 2_000;
/** Longer than the question may take; a request that waits for so long gets the last page. */
const PATIENCE_MS = 3_000;

interface PageHandlerOptions {
  ask: () => Promise<FleetView>;
  onError: (error: unknown) => void;
  clock?: Clock;
}

/** Answers `/`, and `/?still` for a page that does not reload itself; undefined for the rest. */
export function createPageHandler(
  options: PageHandlerOptions,
): (target: string) => Promise<Answer | undefined> {
  const { ask, onError, clock = SYSTEM_CLOCK } = options;
  const pages = createFreshLook<Pages | undefined>({
    look: async () => await makePages(await ask()),
    initial: undefined,
    freshMs: FRESH_MS,
    patienceMs: PATIENCE_MS,
    onError,
    clock,
  });
  return async (target) => {
    if (target !== "/" && target !== "/?still") return undefined;
    return (await pages())?.(target) ?? NOT_YET;
  };
}

/** The page of a target; each is rendered when it is asked for first. */
type Pages = (target: "/" | "/?still") => Answer;

const NOT_YET: Answer = {
  status: 503,
  headers: headerLine("Content-Type", "text/plain; charset=utf-8") +
    headerLine("Retry-After", "2") + headerLine("Cache-Control", "no-store"),
  body: "503 the balancers have not been asked yet; try again in a moment\n",
  close: false,
};

async function makePages(view: FleetView): Promise<Pages> {
  const [{ statusPage, REFRESH_S }, { findFleetFaults }, { PAGE_STYLE }] = await Promise.all([
    import("./status_page.ts"),
    import("./fleet_findings.ts"),
    import("./page_style.ts"),
  ]);
  const findings = findFleetFaults(view);
  const headers = headersFor(await sha256(PAGE_STYLE));
  const made = new Map<string, Answer>();
  return (target) => {
    const known = made.get(target);
    if (known) return known;
    const refreshes = target === "/";
    const refresh = refreshes ? headerLine("Refresh", String(REFRESH_S)) : "";
    const body = statusPage(view, findings, { refreshes });
    const page: Answer = { status: 200, headers: headers + refresh, body, close: false };
    made.set(target, page);
    return page;
  };
}

/** A browser may use only the style sheet and the icon in the page itself. */
function headersFor(styleDigest: string): string {
  const policy = "default-src 'none'; " +
    `style-src 'sha256-${styleDigest}'; img-src data:; base-uri 'none'; form-action 'none'; ` +
    "frame-ancestors 'none'";
  return headerLine("Content-Type", "text/html; charset=utf-8") +
    headerLine("Content-Security-Policy", policy) +
    headerLine("X-Content-Type-Options", "nosniff") +
    headerLine("Referrer-Policy", "no-referrer") +
    headerLine("Cache-Control", "no-store");
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toBase64();
}
