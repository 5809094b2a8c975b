/** A certificate's life as a bar: what has passed, what is left in its three zones, and now. */

import { isoSeconds } from "../time.ts";
import { Html, html } from "./html.ts";
import { type Lifetime, shareOfLife } from "./lifetime.ts";

/** Units from one end to the other; the bar is stretched to the width that there is. */
const WIDTH = 1000;

/** An SVG image with its words for those who do not see it. */
export function lifetimeBar(life: Lifetime, now: Date): Html {
  const at = (instant: Date) => Math.round(shareOfLife(instant, life) * WIDTH);
  const [renewal, warning, critical] = [life.renewalFrom, life.warningFrom, life.criticalFrom];
  const label =
    `valid from ${isoSeconds(life.notBefore)} to ${isoSeconds(life.notAfter)}; renewal ` +
    `from ${isoSeconds(renewal)}, WARNING from ${isoSeconds(warning)}, CRITICAL from ` +
    isoSeconds(critical);
  const zone = (from: number, to: number, kind: string) =>
    html`
      <rect class="${kind}" x="${from}" y="4" width="${Math.max(0, to - from)}" height="12" />
    `;
  return html`
    <svg class="life" viewBox="0 0 ${WIDTH} 20" preserveAspectRatio="none" role="img"
      aria-label="${label}">${zone(0, at(warning), "z-ok")}${zone(
        at(warning),
        at(critical),
        "z-warn",
      )}${zone(at(critical), WIDTH, "z-fail")}${zone(
        0,
        at(now),
        "z-past",
      )}<rect class="m-renew" x="${at(renewal) - 2}" y="2" width="4" height="16"/>
    <rect class="m-now" x="${Math.min(
      WIDTH - 6,
      Math.max(0, at(now) - 3),
    )}" y="0" width="6" height="20"/></svg>
  `;
}
