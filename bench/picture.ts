/**
 * `deno task picture`: draws docs/images/answer-time.svg from the figures of a run of the bench.
 *
 * Usage: deno task picture [FILE], where FILE is what `deno task bench --only answer --json FILE`
 * wrote; without it, the latest run's. Words are in the file as text, so that it can be searched
 * and read aloud; its colours can be told apart on a light and on a dark page.
 */

import * as echarts from "echarts";
import type { Contender, Result } from "./report.ts";

const LATEST = `${import.meta.dirname}/results/latest.json`;
const PICTURE = `${import.meta.dirname}/../docs/images/answer-time.svg`;

/** Let's Encrypt's limit for one connection, in milliseconds (Boulder, va/va.go). */
const CA_LIMIT_MS = 10_000;
const BALANCERS = 5;
const GREY = "#7d8590";
const COLOURS: Partial<Record<Contender, string>> = { "acme-lb": "#1f883d", nginx: "#cf4f27" };

/** Milliseconds to the right answer by the number of balancers down. */
export type Series = Partial<Record<Contender, number[]>>;

/**
 * The series of the situations `5 balancers, K swallow packets` in the order of K; the last one, in
 * which the balancer that is asked holds the token itself, asks no peer and is left out.
 */
export function seriesOf(results: Result[]): Series {
  const series: Series = {};
  for (let down = 0; down < BALANCERS - 1; down++) {
    const what = `${BALANCERS} balancers, ${down} swallow packets`;
    const values = results.find((result) => result.what === what)?.values ?? {};
    for (const [contender, value] of Object.entries(values) as [Contender, number][]) {
      (series[contender] ??= [])[down] = value;
    }
  }
  return series;
}

/** An SVG document. */
export function draw(series: Series): string {
  const chart = echarts.init(null, null, {
    renderer: "svg",
    ssr: true,
    width: 760,
    height: 320,
  });
  const count = Math.max(...Object.values(series).map(({ length }) => length));
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: "system-ui, sans-serif", fontSize: 13, color: GREY },
    grid: { left: 70, right: 130, top: 30, bottom: 50 },
    xAxis: {
      type: "category",
      name: `balancers down, of ${BALANCERS}`,
      nameLocation: "middle",
      nameGap: 30,
      nameTextStyle: { color: GREY, fontSize: 13 },
      axisLabel: { color: GREY, fontSize: 13 },
      axisLine: { lineStyle: { color: GREY } },
      data: Array.from({ length: count }, (_, down) => String(down)),
    },
    yAxis: {
      type: "log",
      min: 1,
      max: 100_000,
      axisLabel: { color: GREY, fontSize: 13, formatter: timeLabel },
      splitLine: { lineStyle: { color: GREY, opacity: 0.25 } },
    },
    series: Object.entries(series).map(([contender, values], index) => ({
      name: contender,
      type: "line" as const,
      data: values,
      symbol: "circle",
      symbolSize: 8,
      lineStyle: { width: 3 },
      itemStyle: { color: COLOURS[contender as Contender] ?? GREY },
      endLabel: {
        show: true,
        formatter: `${contender} ${timeLabel(values.at(-1)!)}`,
        fontSize: 14,
      },
      markLine: index > 0 ? undefined : {
        symbol: "none",
        silent: true,
        lineStyle: { color: GREY, type: "dashed" as const },
        label: {
          formatter: "the CA gives up",
          position: "insideStartTop" as const,
          color: GREY,
          fontSize: 13,
        },
        data: [{ yAxis: CA_LIMIT_MS }],
      },
    })),
  });
  const svg = chart.renderToSVGString();
  // Its animation loop would keep the process alive.
  chart.dispose();
  return svg;
}

function timeLabel(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
}

if (import.meta.main) {
  const { results } = JSON.parse(await Deno.readTextFile(Deno.args[0] ?? LATEST));
  await Deno.writeTextFile(PICTURE, draw(seriesOf(results)));
}
