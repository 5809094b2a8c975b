/** The tables of the status page. On a narrow screen each row becomes a block with its labels. */

import { formatRemaining, formatSpan } from "../time.ts";
import type { FleetView } from "./fleet.ts";
import { holdersOf } from "./fleet.ts";
import { isReached, outcomeOf } from "./reach.ts";
import { Html, html, type HtmlValue } from "./html.ts";

/** Who holds which virtual address, and since when. */
export function addressTable(view: FleetView): Html {
  return table(
    "Virtual addresses",
    ["Address", "Held by", "Since"],
    view.expected.virtualAddresses.map((address) => {
      const holders = holdersOf(address, view);
      const names = holders.map(({ name }) => name).join(" and ");
      const since = holders.map(({ report }) => {
        const held = report!.holds.find((one) => one.address === address)!;
        return held.since === null ? "before its start" : agoText(view.now, held.since);
      });
      return [
        html`<span class="mono">${address}</span>`,
        holders.length === 1 ? names : tag("fail", names || "nobody"),
        since.join(", "),
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
        html`${name}${
          here && html`
            <span class="soft">(this one)</span>
          `
        }`,
        html`<span class="mono">${address}</span>`,
      ];
      if (!report) return [...first, tag("fail", silence ?? "timeout"), "", "", "", "", "", ""];
      const now = new Date(report.now);
      return [
        ...first,
        `${ms} ms`,
        report.version,
        formatSpan(report.uptime_s * 1000),
        html`<span class="mono">${report.config.slice(0, 8)}</span>`,
        report.evicted > 0
          ? `${report.connections}, evicted ${report.evicted}`
          : report.connections,
        report.renewed_at === null ? "" : agoText(now, report.renewed_at),
        report.hook &&
          (report.hook.ok
            ? html`${tag("ok", "done")} ${agoText(now, report.hook.at)}`
            : html`${tag("fail", "failed")} ${agoText(now, report.hook.at)}`) || "",
      ];
    }),
  );
}

/** Who reaches whom: what each told of its last question to the other. */
export function reachTable({ rows }: FleetView): Html {
  const cell = (from: typeof rows[number], to: typeof rows[number]): Html => {
    if (from === to) return html`<td class="soft">&#183;</td>`;
    const outcome = outcomeOf(from, to);
    if (outcome === undefined) return html`<td class="soft">not asked</td>`;
    return html`<td>${tag(isReached(outcome) ? "ok" : "fail", outcome)}</td>`;
  };
  return html`
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
  `;
}

/** Those of all balancers, the newest first. */
export function challengeTable({ rows }: FleetView, most: number): Html {
  const all = rows.flatMap(({ name, report }) =>
    (report?.challenges ?? []).map((challenge) => ({ name, now: report!.now, ...challenge }))
  );
  const shown = all.toSorted((a, b) => a.at < b.at ? 1 : a.at > b.at ? -1 : 0).slice(0, most);
  return table(
    "Last challenges",
    ["When", "Asked", "Token", "By", "Found", "Status", "Took"],
    shown.map(({ name, now, at, token, from, source, status, ms }) => [
      html`<time datetime="${at}">${agoText(new Date(now), at)}</time>`,
      name,
      html`<span class="mono">${`${token}…`}</span>`,
      html`<span class="mono">${from}</span>`,
      source ?? "nowhere",
      tag(status === 200 ? "ok" : status === 404 ? "note" : "fail", String(status)),
      `${ms} ms`,
    ]),
  );
}

export function tag(kind: "ok" | "warn" | "fail" | "note", text: string): Html {
  return html`<span class="tag t-${kind}">${text}</span>`;
}

/** An instant that has passed, as `3m 2s ago`. */
export function agoText(now: Date, at: string): string {
  const then = new Date(at);
  return then < now ? formatRemaining(now, then) : "just now";
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
