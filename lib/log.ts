/**
 * One event a line on stderr, `key=value` or JSON, with the same words in both.
 *
 * Values may be chosen by an attacker: they are bounded and escaped here, whatever the caller
 * passes. Scanners must not fill the journal: each event (and status, where it has one) has a
 * budget of lines a second. A log reader that stops reading must not stop a server: lines wait in a
 * bounded queue. Lines beyond either bound are counted, and the count is in the next line of its
 * event, as `suppressed`.
 */

import { startOf } from "./clip.ts";
import { STDERR } from "./line_queue.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export const LOG_FORMATS = ["text", "json"] as const;
export type LogLevel = typeof LOG_LEVELS[number];
export type LogFormat = typeof LOG_FORMATS[number];

export type LogFields = Record<string, string | number | boolean | undefined>;

/** Writes one event; `event` is a fixed word such as `challenge` or `refused`. */
export type Log = Record<LogLevel, (event: string, fields?: LogFields) => void>;

interface LogOptions {
  /** @default "text" */
  format?: LogFormat;
  /** @default "info" */
  level?: LogLevel;
  /** Takes one line with its newline; false when it was lost. @default the queue for stderr */
  write?: (line: string) => unknown;
  /**
   * Called for each line that is left out: over its event's budget, or because the log is not read.
   */
  onSuppressed?: (reason: "rate" | "not_read") => void;
  /** Milliseconds since the epoch. @default Date.now */
  now?: () => number;
  /** Characters of a value; data from clients must not fill a log. @default 200 */
  longestValue?: number;
}

/** Lines that one event may write at once, and the pace at which that budget comes back. */
const BURST = 100;
const LINES_PER_SECOND = 10;
const LONGEST_VALUE = 200;

interface Budget {
  lines: number;
  at: number;
  suppressed: number;
}

export function createLog(options: LogOptions = {}): Log {
  const { format = "text", level = "info", write = STDERR.push, now = Date.now } = options;
  const { onSuppressed = () => {}, longestValue = LONGEST_VALUE } = options;
  const threshold = LOG_LEVELS.indexOf(level);
  const budgets = new Map<string, Budget>();

  /** The event's budget, and whether a line could be taken from it. */
  function take(event: string, at: number): { budget: Budget; granted: boolean } {
    const budget = budgets.get(event) ?? { lines: BURST, at, suppressed: 0 };
    budgets.set(event, budget);
    const elapsed = Math.max(0, at - budget.at) / 1000;
    budget.lines = Math.min(BURST, budget.lines + elapsed * LINES_PER_SECOND);
    budget.at = at;
    const granted = budget.lines >= 1;
    if (granted) budget.lines--;
    return { budget, granted };
  }

  function emit(lineLevel: LogLevel, event: string, fields: LogFields = {}): void {
    if (LOG_LEVELS.indexOf(lineLevel) < threshold) return;
    const at = now();
    const { budget, granted } = take(`${event} ${fields.status ?? ""}`, at);
    if (!granted) {
      budget.suppressed++;
      return onSuppressed("rate");
    }
    const suppressed = budget.suppressed > 0 ? { suppressed: budget.suppressed } : {};
    const time = new Date(at).toISOString();
    const all = { time, level: lineLevel, event, ...fields, ...suppressed };
    const line = boundedValues(all, longestValue);
    const text = format === "json" ? printable(JSON.stringify(line), "\\u") + "\n" : textLine(line);
    const taken = write(text) !== false;
    budget.suppressed = taken ? 0 : budget.suppressed + 1;
    if (!taken) onSuppressed("not_read");
  }

  return {
    debug: (event, fields) => emit("debug", event, fields),
    info: (event, fields) => emit("info", event, fields),
    warn: (event, fields) => emit("warn", event, fields),
    error: (event, fields) => emit("error", event, fields),
  };
}

function textLine(fields: LogFields): string {
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
  return pairs.map(([key, value]) => `${key}=${textValue(value!)}`).join(" ") + "\n";
}

function textValue(value: string | number | boolean): string {
  const text = printable(String(value));
  return /^[^\s"=]+$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}

function boundedValues(fields: LogFields, longest: number): LogFields {
  const bounded = (value: LogFields[string]) =>
    typeof value === "string" && value.length > longest ? `${startOf(value, longest)}…` : value;
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, bounded(value)]));
}

/**
 * Escapes every character that a terminal or a log reader may interpret, or that nobody sees:
 * controls of both halves, line and paragraph separators, format characters such as direction marks
 * and tags, lone surrogates, and what a font need not show (Unicode's Default_Ignorable_Code_Point:
 * variation selectors, fillers, code points reserved for more of them). In text a backslash is
 * doubled, so that an escape cannot be forged.
 */
export function printable(text: string, prefix: "\\x" | "\\u" = "\\x"): string {
  const source = prefix === "\\x" ? text.replaceAll("\\", "\\\\") : text;
  const escape = (unit: string) => {
    const code = unit.charCodeAt(0);
    return prefix === "\\x" && code < 256
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  };
  return source.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/gu,
    (char) => char.split("").map(escape).join(""),
  );
}

/**
 * The same for JSON, and for YAML where the character stands in double quotes: line ends stay, and a
 * reader gets the original characters back.
 */
export function printableLines(text: string): string {
  return text.split("\n").map((line) => printable(line, "\\u")).join("\n");
}
