/**
 * Figures, their targets, and the table that shows both. Pure: no measuring, no files.
 *
 * A miss is shown, not asserted: what a machine reaches is a fact of that machine, and tests that
 * fail by the clock teach people to ignore them.
 */

export type Contender =
  | "acme-lb"
  | "nginx"
  | "HAProxy"
  | "bare loop"
  | "bare Deno"
  | "openssl loop"
  | "one openssl"
  | "check_ssl_cert"
  | "acme.sh";
/** The empty one is for counts. */
export type Unit = "ms" | "µs" | "/s" | "MB" | "%" | "";

export interface Figure {
  /** Heading under which it stands. */
  section: string;
  what: string;
  unit: Unit;
  /** The figure of each contender that was measured. */
  values: Partial<Record<Contender, number>>;
  /** The single measurements behind each value, in the order they were made. */
  rounds?: Partial<Record<Contender, number[]>>;
  /** Whose value is divided by the others' for the ratios. @default "acme-lb" */
  subject?: Contender;
  target?: Target;
}

/** What the subject's value should be, absolutely or as a multiple of another's. */
export interface Target {
  sense: "at most" | "at least";
  value: number;
  of?: Contender;
}

export type Verdict = "met" | "missed" | "not measured" | "no target";

/** A figure with what follows from it; this is what the JSON holds. */
export interface Result extends Figure {
  /** The subject's value divided by that contender's. */
  ratios: Partial<Record<Contender, number>>;
  verdict: Verdict;
}

const CONTENDERS: Contender[] = [
  "acme-lb",
  "nginx",
  "HAProxy",
  "bare loop",
  "bare Deno",
  "openssl loop",
  "one openssl",
  "check_ssl_cert",
  "acme.sh",
];

/** Compares the figure with its target and with the other contenders. */
export function judge(figure: Figure): Result {
  const subject = figure.values[figure.subject ?? "acme-lb"];
  const ratios: Result["ratios"] = {};
  // Counts say how much was tried, which is no contest.
  for (const contender of figure.unit === "" ? [] : CONTENDERS) {
    const other = figure.values[contender];
    if (subject === undefined || !other || contender === (figure.subject ?? "acme-lb")) continue;
    ratios[contender] = subject / other;
  }
  return { ...figure, ratios, verdict: verdictOf(subject, figure) };
}

function verdictOf(subject: number | undefined, { target, values }: Figure): Verdict {
  if (!target) return "no target";
  const base = target.of ? values[target.of] : 1;
  if (subject === undefined || base === undefined) return "not measured";
  const limit = target.value * base;
  return (target.sense === "at most" ? subject <= limit : subject >= limit) ? "met" : "missed";
}

/** The middle value, or the mean of the two in the middle; NaN of none. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]!
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** The value that such a share of them, from 0 to 1, does not exceed. */
export function percentile(values: number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1]!;
}

/** One Markdown table a section; a ratio stands in brackets behind the figure it refers to. */
export function formatTables(results: Result[]): string {
  const tables = Map.groupBy(results, ({ section }) => section);
  return [...tables].map(([section, rows]) => formatTable(section, rows)).join("\n");
}

function formatTable(section: string, rows: Result[]): string {
  const contenders = CONTENDERS.filter((name) => rows.some(({ values }) => name in values));
  const head = [section, ...contenders, "target", "verdict"];
  const cells = rows.map((row) => [
    row.what,
    ...contenders.map((name) => formatCell(row, name)),
    row.target ? formatTarget(row.target, row.unit) : "",
    row.verdict === "no target" ? "" : row.verdict,
  ]);
  const widths = head.map((title, column) =>
    Math.max(...[head, ...cells].map((line) => line[column]!.length), title.length)
  );
  const isNumeric = (column: number) => column > 0 && column <= contenders.length;
  const line = (texts: string[]) =>
    `| ${
      texts.map((text, column) =>
        isNumeric(column) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)
      ).join(" | ")
    } |\n`;
  const rule = widths.map((width, column) =>
    "-".repeat(width - 1) + (isNumeric(column) ? ":" : "-")
  );
  return line(head) + line(rule) + cells.map(line).join("");
}

function formatCell({ values, ratios, unit }: Result, contender: Contender): string {
  const value = values[contender];
  if (value === undefined) return "";
  const ratio = ratios[contender];
  return formatValue(value, unit) + (ratio === undefined ? "" : ` (${formatRatio(ratio)})`);
}

/** Three digits are as many as a shared machine can vouch for. */
function formatValue(value: number, unit: Unit): string {
  const decimals = value < 10 && unit !== "" ? 1 : 0;
  const number = value.toLocaleString("en", {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return unit === "/s" ? `${number}/s` : `${number} ${unit}`.trimEnd();
}

function formatRatio(ratio: number): string {
  return ratio < 0.01 ? "<0.01" : ratio.toFixed(ratio < 10 ? 2 : 0);
}

function formatTarget({ sense, value, of }: Target, unit: Unit): string {
  const sign = sense === "at most" ? "≤" : "≥";
  return of ? `${sign} ${value} × ${of}` : `${sign} ${formatValue(value, unit)}`;
}
