/** The tables of the status page. On a narrow screen each row becomes a block with its labels. */

import { formatSpan } from "../time.ts";
import { agoAt } from "./instants.ts";
import type { FleetView } from "./fleet.ts";
import { challengesOf, heldBy, heldSince, holdersOf } from "./fleet_facts.ts";
import { isReached, outcomeOf } from "./reach.ts";
import { Html, html, type HtmlValue } from "./html.ts";

/** Who holds which virtual address, and since when. */
export function addressTable(view: FleetView): Html {
  return table(
    "Virtual addresses",
    ["Address", "Held by", "Since"],
    view.expected.virtualAddresses.map((address) => {
      const holders = holdersOf(address, view);
      const names = heldBy(address, view);
      return [
        html`<span class="mono">${address}</span>`,
        holders.length === 1 || names === "unknown" ? names : tag("fail", names),
        heldSince(address, holders),
      ];
    }),
  );
}

/** What each balancer says of itself. */
export function balancerTable({ rows }: FleetView): Html {
  return table(
    "Balancers",
    [
      "Balancer",
      "Challenge port",
      "Answers",
      "Version",
      "Up",
      "Configuration",
      "Connections",
      "Last renewal",
      "Hook",
    ],
    rows.map(({ name, address, here, report, silence, ms }) => {
      const first: HtmlValue[] = [
        html`${name}${here ? " " : ""}${
          here && html`
            <span class="soft">(this one)</span>
          `
        }`,
        html`<span class="mono">${address}</span>`,
      ];
      if (!report) return [...first, tag("fail", silence ?? "timeout"), "", "", "", "", "", ""];
      return [
        ...first,
        `${ms} ms`,
        report.version,
        formatSpan(report.uptime_s * 1000),
        html`<span class="mono">${report.config.slice(0, 8)}</span>`,
        report.evicted > 0
          ? `${report.connections}, evicted ${report.evicted}`
          : report.connections,
        report.renewed_at === null ? "" : agoAt(report.renewed_at, report),
        report.hook === null
          ? ""
          : html`${report.hook.ok ? tag("ok", "done") : tag("fail", "failed")} ${
            agoAt(report.hook.at, report)
          }`,
      ];
    }),
  );
}

/**
 * Who reaches whom: what each told of its last question to the other. As wide as there are
 * balancers, so it has its own scroll bar, which the keyboard reaches.
 */
export function reachTable({ rows }: FleetView): Html {
  const cell = (from: typeof rows[number], to: typeof rows[number]): Html => {
    if (from === to) return html`<td class="soft">&#183;</td>`;
    const outcome = outcomeOf(from, to);
    if (outcome === undefined) {
      return html`<td class="soft">${from.report ? "not asked" : "unknown"}</td>`;
    }
    return html`<td>${tag(isReached(outcome) ? "ok" : "fail", outcome)}</td>`;
  };
  return html`
    <div class="scroll" role="group" aria-labelledby="reach" tabindex="0">
      <table class="matrix">
        <thead>
          <tr><th scope="col">From, to</th>${rows.map(({ name }) =>
            html`<th scope="col">${name}</th>`
          )}</tr>
        </thead>
        <tbody>${rows.map((from) =>
          html`<tr><th scope="row">${from.name}</th>${rows.map((to) => cell(from, to))}</tr>`
        )}</tbody>
      </table>
    </div>
  `;
}

/** Those of all balancers, the newest first. */
export function challengeTable(view: FleetView, most: number): Html {
  return table(
    "Last challenges",
    ["When", "Asked", "Token", "By", "Found", "Status", "Took"],
    challengesOf(view).slice(0, most).map(({ at, ago, found, challenge }) => [
      html`<time datetime="${challenge.at}">${ago}</time>`,
      at,
      html`<span class="mono">${`${challenge.token}…`}</span>`,
      html`<span class="mono">${challenge.from}</span>`,
      found,
      tag(kindOf(challenge.status), String(challenge.status)),
      `${challenge.ms} ms`,
    ]),
  );
}

/** A 404 is what a scanner gets, and no fault. */
function kindOf(status: number): "ok" | "note" | "fail" {
  return status === 200 ? "ok" : status === 404 ? "note" : "fail";
}

export function tag(kind: "ok" | "warn" | "fail" | "note", text: string): Html {
  return html`<span class="tag t-${kind}">${text}</span>`;
}

/** The first cell of a row is its heading. The roles stay where a narrow screen shows blocks. */
function table(name: string, head: string[], rows: HtmlValue[][]): Html {
  const heads = head.map((text) =>
    html`
      <th scope="col" role="columnheader">${text}</th>
    `
  );
  const cell = (content: HtmlValue, of: string | undefined) =>
    html`
      <td role="cell" class="${content === "" &&
        "none"}" data-of="${of}"><span>${content}</span></td>
    `;
  const body = rows.map(([first, ...cells]) =>
    html`
      <tr role="row">
        <th scope="row" role="rowheader">${first}</th>
        ${cells.map((content, i) => cell(content, head[i + 1]))}
      </tr>
    `
  );
  return html`
    <table class="stack" role="table" aria-label="${name}">
      <thead role="rowgroup">
        <tr role="row">${heads}</tr>
      </thead>
      <tbody role="rowgroup">${body}</tbody>
    </table>
  `;
}
