/**
 * The fleet as a picture: the balancers in a ring, beside each the virtual addresses that it holds,
 * and a line for each pair that tells whether they reach each other.
 *
 * What it shows stands in tables beside it too, for those who do not see it.
 */

import { formatSpan } from "../time.ts";
import type { BalancerRow, FleetView } from "./fleet.ts";
import { holdersOf } from "./fleet_facts.ts";
import { Html, html } from "./html.ts";
import { isReached, outcomeOf } from "./reach.ts";
import type { StatusFinding } from "./status_finding.ts";

/** More than these, with their addresses, would lie upon each other; the tables have them all. */
export const MOST_DRAWN = 6;
/** Addresses at one balancer. */
const MOST_ADDRESSES = 3;

/** Units of the picture, which a telephone shows as pixels. */
const WIDTH = 360;
const NODE = 31;
const PILL = 17;
const LETTER = 6.1;

interface Node {
  row: BalancerRow;
  x: number;
  y: number;
}

/** An SVG image, legible from 360 pixels on, of at most {@link MOST_DRAWN} balancers. */
export function fleetPicture(view: FleetView, findings: readonly StatusFinding[]): Html {
  const { rows } = view;
  const [wide, high] = rows.length < 2 ? [0, 0] : rows.length < 6 ? [112, 90] : [118, 130];
  const middle = high + NODE + 8 + MOST_ADDRESSES * PILL;
  const nodes = rows.map((row, i): Node => {
    const angle = (2 * Math.PI * i) / rows.length - Math.PI / 2;
    return {
      row,
      x: Math.round(WIDTH / 2 + wide * Math.cos(angle)),
      y: Math.round(middle + high * Math.sin(angle)),
    };
  });
  const free = view.expected.virtualAddresses.filter((one) => holdersOf(one, view).length === 0);
  const pills = [
    ...nodes.flatMap((node) => pillsOf(node, { view, middle })),
    ...free.slice(0, MOST_ADDRESSES).map((address, i) => ({
      ...{ x: WIDTH / 2, y: middle + i * PILL, bad: true, text: `${shortened(address)}: nobody` },
    })),
  ];
  const ys = [
    ...nodes.flatMap(({ y }) => [y - NODE - 3, y + NODE + 3]),
    ...pills.flatMap(({ y }) => [y - PILL / 2, y + PILL / 2]),
  ];
  const top = Math.round(Math.min(...ys, middle - 20));
  const height = Math.round(Math.max(...ys, middle + 20)) - top;
  const label = `${rows.length} balancers, what they hold, and who reaches whom`;
  return html`
    <svg class="fleet" viewBox="0 ${top} ${WIDTH} ${height}" role="img"
      aria-label="${label}">${nodes.flatMap((a, i) =>
        nodes.slice(i + 1).map((b) => edge(a, b))
      )}${nodes.map((node) => drawnNode(node, findings))}${pills.map(drawnPill)}</svg>
  `;
}

/** `ok` when one of them reached the other and neither failed to. */
function linkState(a: BalancerRow, b: BalancerRow): "ok" | "fail" | "unknown" {
  const outcomes = [outcomeOf(a, b), outcomeOf(b, a)].filter((word) => word !== undefined);
  if (outcomes.some((outcome) => !isReached(outcome))) return "fail";
  return outcomes.length > 0 ? "ok" : "unknown";
}

function edge(a: Node, b: Node): Html {
  const state = linkState(a.row, b.row);
  return html`
    <line class="e-${state}" x1="${a.x}" y1="${a.y}" x2="${b.x}" y2="${b.y}" />
  `;
}

function drawnNode({ row, x, y }: Node, findings: readonly StatusFinding[]): Html {
  const level = findings.find(({ about, level }) => about === row.name && level !== "note")?.level;
  const kind = row.report ? level ?? "ok" : "silent";
  const below = row.report
    ? `up ${formatSpan(row.report.uptime_s * 1000).split(" ")[0]}`
    : row.silence ?? "timeout";
  return html`
    <circle class="n-${kind}" cx="${x}" cy="${y}" r="${NODE}" />
    <text class="n-name" x="${x}" y="${y + 1}">${shortened(shortName(row.name), 9)}</text>
    <text class="n-sub" x="${x}" y="${y + 14}">${shortened(below, 11)}</text>
  `;
}

interface Pill {
  x: number;
  /** Its middle. */
  y: number;
  bad: boolean;
  text: string;
}

/** On the outer side of the ring, so that no line runs through them. */
function pillsOf(
  { row, x, y }: Node,
  { view, middle }: { view: FleetView; middle: number },
): Pill[] {
  const held = row.report?.holds.map(({ address }) => address) ?? [];
  const outward = y < middle ? -1 : 1;
  return held.slice(0, MOST_ADDRESSES).map((address, i) => {
    const more = held.length - MOST_ADDRESSES;
    return {
      x,
      y: y + outward * (NODE + 12 + i * PILL),
      bad: holdersOf(address, view).length > 1,
      text: i === MOST_ADDRESSES - 1 && more > 0 ? `and ${more + 1} more` : shortened(address),
    };
  });
}

function drawnPill({ x, y, bad, text }: Pill): Html {
  const width = Math.round(text.length * LETTER + 14);
  const left = Math.min(WIDTH - width - 1, Math.max(1, x - width / 2));
  return html`
    <rect class="${bad ? "p-fail" : "p-ok"}" x="${left}" y="${y - 7.5}" width="${width}" height="15"
      rx="7.5" />
    <text class="${bad ? "a-fail" : "a-ok"}" x="${left + width / 2}" y="${y + 3.5}">${text}</text>
  `;
}

/** Without the domain; an address, which a balancer of no node has for a name, as it is. */
function shortName(name: string): string {
  return name.includes(":") ? name : name.split(".")[0]!;
}

/** The beginning and the end, which is what differs, of what would not fit. */
function shortened(text: string, most = 19): string {
  if (text.length <= most) return text;
  const tail = Math.floor((most - 1) / 2);
  return `${text.slice(0, most - 1 - tail)}…${text.slice(-tail)}`;
}
