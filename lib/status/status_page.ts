/**
 * The fleet as a page for a browser: made here, without scripts, without a request to anywhere, in
 * ASCII. Everything that a balancer told is text in it, never markup; see html.ts.
 */

import { isoSeconds } from "../time.ts";
import { certificateList } from "./certificate_list.ts";
import type { FleetView } from "./fleet.ts";
import { stateOf } from "./fleet_findings.ts";
import { fleetPicture, MOST_DRAWN } from "./fleet_picture.ts";
import { counted, countsOf, headlineOf } from "./headline.ts";
import { Html, html } from "./html.ts";
import { toTheMinute } from "./instants.ts";
import { PAGE_STYLE } from "./page_style.ts";
import { addressTable, balancerTable, challengeTable, reachTable, tag } from "./page_tables.ts";
import type { StatusFinding } from "./status_finding.ts";

/** Seconds from one look to the next; told in a header, since a page may not reload itself unasked. */
export const REFRESH_S = 10;
const CHALLENGES_SHOWN = 25;
const FINDINGS_SHOWN = 100;

const STATES = ["ok", "warn", "fail"] as const;

/** The whole document. @param refreshes the header that reloads it is sent along */
export function statusPage(
  view: FleetView,
  findings: readonly StatusFinding[],
  { refreshes }: { refreshes: boolean },
): string {
  const state = STATES[stateOf(findings)];
  const page = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${titleOf(view, findings)}</title>
        <link rel="icon" href="${ICONS[state]}">
        <style>${new Html(PAGE_STYLE)}</style>
      </head>
      <body>
        <header>
          <h1>acme-lb: the fleet${seenFrom(view)}</h1>
          <div class="sum s-${state}" role="status">
            <strong>${headlineOf(view, findings)}</strong>
            <span>${whole(view, findings)}</span>
          </div>
        </header>
        <main>${sections(view, findings)}</main>
        <footer>${refreshes ? REFRESHING : STILL}${ON_A_TERMINAL}</footer>
      </body>
    </html>
  `;
  return page.text;
}

const REFRESHING = html`
  <p>Reloads itself every ${REFRESH_S} seconds; <a href="/?still">keep it still</a>.</p>
`;
const STILL = html`
  <p>Does not reload itself; <a href="/">let it</a>.</p>
`;
const ON_A_TERMINAL = html`
  <p>The same on a terminal: <span class="mono">acme-lb status --watch</span></p>
`;

/** How many, how many of them answer, and when. */
function whole(view: FleetView, findings: readonly StatusFinding[]): Html {
  const { rows } = view;
  const counts = countsOf(findings);
  const answering = rows.filter(({ report }) => report !== undefined).length;
  const at = isoSeconds(view.now);
  const balancers = `${counted(rows.length, "balancer")}, ${answering} answering`;
  return html`
    ${counts !== "" && `${counts}; `}${balancers}, at <time datetime="${at}">${toTheMinute(
      view.now,
    )} UTC</time>
  `;
}

function sections(view: FleetView, findings: readonly StatusFinding[]): Html[] {
  const { rows, expected } = view;
  const addresses = expected.virtualAddresses.length > 0
    ? addressTable(view)
    : soft("cluster.virtual_addresses names none.");
  const challenges = rows.some(({ report }) => report && report.challenges.length > 0)
    ? challengeTable(view, CHALLENGES_SHOWN)
    : soft("None was asked for since the balancers started.");
  const tables = html`
    ${section("held", "Who holds which address", addresses)}
    ${section("reach", "Who reaches whom", reachTable(view))}
  `;
  return [
    ...findings.length > 0 ? [section("todo", "What to do", findingList(findings))] : [],
    rows.length > MOST_DRAWN ? tables : html`
      <div class="cols">
        ${section("fleet", "Fleet", fleetPicture(view, findings))}
        <div>${tables}</div>
      </div>
    `,
    section("certificates", "Certificates", certificateList(view)),
    section("balancers", "Balancers", balancerTable(view)),
    section("challenges", "Last challenges", challenges),
  ];
}

function section(id: string, title: string, content: Html): Html {
  return html`
    <section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>
  `;
}

function soft(text: string): Html {
  return html`
    <p class="soft">${text}</p>
  `;
}

const dot = (colour: string) =>
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle " +
  `cx='8' cy='8' r='7' fill='%23${colour}'/%3E%3C/svg%3E`;
const ICONS = { ok: dot("1a9f5b"), warn: dot("e3a520"), fail: dot("d9534a") };

/** What a tab shows. */
function titleOf(view: FleetView, findings: readonly StatusFinding[]): string {
  const counts = countsOf(findings);
  return `${counts === "" ? headlineOf(view, findings) : counts}: acme-lb`;
}

function seenFrom({ rows }: FleetView): string {
  const here = rows.find(({ here }) => here);
  return here ? ` as ${here.name} sees it` : "";
}

function findingList(findings: readonly StatusFinding[]): Html {
  const more = findings.length - FINDINGS_SHOWN;
  const items = findings.slice(0, FINDINGS_SHOWN).map(({ level, about, text }) =>
    html`
      <li>${tag(level, WORDS[level])}<p><strong>${about}:</strong> ${text}.</p></li>
    `
  );
  return html`
    <ul class="todo">${items}</ul>
    ${more > 0 && soft(`and ${more} more; all of them: acme-lb status`)}
  `;
}

const WORDS = { fail: "fault", warn: "warning", note: "note" };
