/**
 * Reads Prometheus' text format 0.0.4 and refuses what its documentation does not allow, and what
 * node_exporter's textfile collector refuses beyond it: an independent opinion on our output.
 */

export interface Series {
  metric: string;
  labels: Record<string, string>;
  value: number;
}

/** @throws {SyntaxError} */
export function parseExposition(text: string): Series[] {
  if (!text.endsWith("\n")) throw new SyntaxError("the last line does not end");
  const helped = new Set<string>();
  const typed = new Map<string, string>();
  const finished = new Set<string>();
  const seen = new Set<string>();
  let current: string | undefined;
  const series: Series[] = [];
  const enter = (metric: string) => {
    if (metric === current) return;
    if (finished.has(metric)) throw new SyntaxError(`${metric} is not in one group`);
    if (current !== undefined) finished.add(current);
    current = metric;
  };
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment) {
      const [, kind, metric, rest] = comment as unknown as [string, string, string, string];
      enter(metric);
      const twice = kind === "HELP" ? helped.has(metric) : typed.has(metric);
      if (twice || seen.has(metric)) throw new SyntaxError(`${kind} of ${metric} comes too late`);
      if (kind === "HELP") helped.add(metric);
      else if (!/^(counter|gauge)$/.test(rest)) throw new SyntaxError(`no type: ${line}`);
      else typed.set(metric, rest);
      continue;
    }
    const one = parseSeries(line);
    enter(one.metric);
    if (!helped.has(one.metric) || !typed.has(one.metric)) {
      throw new SyntaxError(`${one.metric} has no HELP or no TYPE`);
    }
    seen.add(one.metric);
    const key = `${one.metric} ${JSON.stringify(Object.entries(one.labels).toSorted())}`;
    if (seen.has(key)) throw new SyntaxError(`twice: ${line}`);
    seen.add(key);
    series.push(one);
  }
  return series;
}

/** A sample without a timestamp, which the textfile collector does not take. */
function parseSeries(line: string): Series {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN)$/
    .exec(
      line,
    );
  if (!match) throw new SyntaxError(`no sample: ${line}`);
  const [, metric, inner = "", value] = match;
  const labels: Record<string, string> = {};
  let rest = inner;
  while (rest !== "") {
    const pair = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/.exec(rest);
    if (!pair) throw new SyntaxError(`no label: ${rest}`);
    if (Object.hasOwn(labels, pair[1]!)) throw new SyntaxError(`label ${pair[1]} twice`);
    labels[pair[1]!] = pair[2]!.replace(/\\(.)/g, (_, char) => char === "n" ? "\n" : char);
    rest = rest.slice(pair[0].length);
  }
  return { metric: metric!, labels, value: Number(value) };
}
