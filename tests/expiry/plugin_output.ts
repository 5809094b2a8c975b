/**
 * Reads a plugin's output as the Monitoring Plugins' development guidelines describe it, and
 * refuses whatever they do not allow: an independent opinion on lib/report/nagios.ts.
 */

/** `[@]start:end`; an alert is raised outside of it, with `@` inside. */
export interface Range {
  inside: boolean;
  start: number;
  end: number;
}

export interface Figure {
  label: string;
  /** Undefined for `U`. */
  value?: number;
  unit: string;
  warning?: Range;
  critical?: Range;
}

export interface PluginOutput {
  service: string;
  state: string;
  text: string;
  figures: Figure[];
  /** What stands below the first line. */
  more: string[];
}

/** @throws {SyntaxError} */
export function parsePluginOutput(output: string): PluginOutput {
  if (!output.endsWith("\n")) throw new SyntaxError("the last line does not end");
  const [first = "", ...more] = output.slice(0, -1).split("\n");
  const [text = "", perfdata, ...rest] = first.split("|");
  if (rest.length > 0) throw new SyntaxError("a second | in the first line");
  if (more.some((line) => line.includes("|"))) {
    throw new SyntaxError("figures below the first line");
  }
  const [, service, state, words] = /^([A-Z]+) (OK|WARNING|CRITICAL|UNKNOWN): (.+)$/s.exec(text) ??
    [];
  if (words === undefined) throw new SyntaxError(`no SERVICE STATUS: text in ${text}`);
  return {
    service: service!,
    state: state!,
    text: words.trimEnd(),
    figures: parseFigures(perfdata ?? ""),
    more,
  };
}

/** `'label'=value[UOM];[warn];[crit];[min];[max]`, separated by spaces. */
function parseFigures(text: string): Figure[] {
  const figures: Figure[] = [];
  let rest = text.trimStart();
  while (rest !== "") {
    const match = /^(?:'((?:[^'=]|'')+)'|([^'= ]+))=([^ ]*)(?: +|$)/.exec(rest);
    if (!match) throw new SyntaxError(`no figure: ${rest}`);
    figures.push({ label: match[1] ?? match[2]!, ...parseValue(match[3]!) });
    rest = rest.slice(match[0].length);
  }
  return figures;
}

function parseValue(text: string): Omit<Figure, "label"> {
  const [measured = "", warning, critical, min, max, ...rest] = text.split(";");
  if (rest.length > 0 || min || max) throw new SyntaxError(`unexpected fields: ${text}`);
  const thresholds = { warning: parseRange(warning), critical: parseRange(critical) };
  if (measured === "U") return { unit: "", ...thresholds };
  const match = /^(-?[0-9.]+)(s|us|ms|%|B|KB|MB|TB|c|)$/.exec(measured);
  if (!match) throw new SyntaxError(`no value and unit: ${measured}`);
  return { value: Number(match[1]), unit: match[2]!, ...thresholds };
}

/** `10` is 0 to 10, `10:` from 10 on, `~:10` up to 10. */
function parseRange(text = ""): Range | undefined {
  if (text === "") return undefined;
  const match = /^(@?)(?:(~|-?[0-9.]+)?:)?(-?[0-9.]+)?$/.exec(text);
  if (!match || text === "@") throw new SyntaxError(`no range: ${text}`);
  const range = {
    inside: match[1] === "@",
    start: match[2] === "~" ? -Infinity : Number(match[2] ?? 0),
    end: match[3] === undefined ? Infinity : Number(match[3]),
  };
  if (range.start > range.end) throw new SyntaxError(`a range of nothing: ${text}`);
  return range;
}

/** Whether the value raises an alert. */
export function isAlert({ inside, start, end }: Range, value: number): boolean {
  return (value >= start && value <= end) === inside;
}
