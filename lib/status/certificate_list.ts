/** The certificates of the status page: each as a bar of its lifetime, the worst first. */

import { formatRemaining } from "../time.ts";
import type { FleetView } from "./fleet.ts";
import { certificatesOf, type PlacedCertificate } from "./fleet_facts.ts";
import { counted } from "./headline.ts";
import { type Html, html } from "./html.ts";
import { toTheMinute } from "./instants.ts";
import { lifetimeOf } from "./lifetime.ts";
import { lifetimeBar } from "./lifetime_bar.ts";
import { tag } from "./page_tables.ts";
import { levelOf } from "./status_finding.ts";

const MOST_SHOWN = 100;

/** A list with its key; what expires first stands first among equals. */
export function certificateList(view: FleetView): Html {
  const all = certificatesOf(view);
  if (all.length === 0) {
    return html`
      <p class="soft">No balancer watches any: name the files under certificates.</p>
    `;
  }
  const items = all.slice(0, MOST_SHOWN).map((one) => certificateItem(one, view.now));
  const more = all.length - MOST_SHOWN;
  return html`
    <ul class="certs">${items}</ul>
    ${KEY}${more > 0 && html`
      <p class="soft">and ${more} more</p>
    `}
  `;
}

function certificateItem({ at, certificate }: PlacedCertificate, now: Date): Html {
  const { place, names, serial, issuer, not_before, not_after, verdict, text } = certificate;
  const more = names.length > 1 && html`
    <span class="soft">and ${counted(names.length - 1, "more name")}</span>
  `;
  const title = html`
    <strong>${names[0] ?? place}</strong>${more}<span>${at}</span>${tag(
      levelOf(verdict) ?? "ok",
      verdict,
    )}
  `;
  if (not_before === null || not_after === null) {
    return html`
      <li>
        <div class="head">${title}</div>
        <p class="life-words"><span class="mono">${place}</span> ${text}</p>
      </li>
    `;
  }
  const life = lifetimeOf(new Date(not_before), new Date(not_after));
  const left = formatRemaining(now, life.notAfter);
  const span = `${toTheMinute(life.notBefore)} to ${toTheMinute(life.notAfter)}`;
  const marks =
    `renewal from ${toTheMinute(life.renewalFrom)}, WARNING from ${
      toTheMinute(life.warningFrom)
    }, ` +
    `CRITICAL from ${toTheMinute(life.criticalFrom)}`;
  return html`
    <li>
      <div class="head">
        ${title}<span class="left">${left.endsWith("ago")
          ? `expired ${left}`
          : `${left} left`}</span>
      </div>
      ${lifetimeBar(life, now)}
      <p class="life-words">${span}; ${marks}</p>
      <p class="life-words">
        <span class="mono">${place}</span> by ${issuer ?? "an unknown issuer"}, serial <span
          class="mono"
        >${serial ?? "unknown"}</span>
      </p>
    </li>
  `;
}

const swatch = (kind: string) =>
  html`
    <svg viewBox="0 0 10 10" aria-hidden="true">
      <rect class="${kind}" width="10" height="10" />
    </svg>
  `;

const KEY = html`
  <ul class="key">
    <li>${swatch("m-now")}now</li>
    <li>${swatch("m-renew")}renewal is due</li>
    <li>${swatch("z-ok")}well</li>
    <li>${swatch("z-warn")}WARNING</li>
    <li>${swatch("z-fail")}CRITICAL</li>
  </ul>
`;
