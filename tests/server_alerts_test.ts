/** The alerts on the server's own metrics: silent for a day on a healthy fleet, each one for its fault. */

import assert from "node:assert/strict";
import { hasPromtool, promtool } from "./promtool.ts";

const RULES =
  new URL("../examples/monitoring/prometheus-server-rules.yaml", import.meta.url).pathname;

type Series = { series: string; values: string }[];

const at = (name: string, labels = "", instance = "lb0") =>
  `acme_lb_${name}{instance="${instance}",job="acme-lb"${labels && `,${labels}`}}`;

const ADDRESS = 'address="2001:db8::1"';
const HOOK = 'client="certbot",place="/etc/haproxy/certs/service.pem"';

/** A day of a balancer that answers challenges, asks its peers, and is asked by scanners. */
const HEALTHY: Series = [
  { series: 'up{instance="lb0",job="acme-lb"}', values: "1+0x1440" },
  { series: at("config_last_reload_successful"), values: "1+0x1440" },
  { series: at("peer_answers_total", 'peer="a",outcome="found"'), values: "0+1x1440" },
  { series: at("peer_answers_total", 'peer="b",outcome="absent"'), values: "0+9x1440" },
  { series: at("peer_answers_total", 'peer="b",outcome="timeout"'), values: "0+0.1x1440" },
  { series: at("peer_answers_total", 'peer="c",outcome="not_awaited"'), values: "0+3x1440" },
  { series: at("lookups_total", 'result="absent"'), values: "0+9x1440" },
  { series: at("lookups_total", 'result="overloaded"'), values: "2+0x1440" },
  { series: at("turned_away_total"), values: "7+0x1440" },
  { series: at("accept_errors_total"), values: "0+0x1440" },
  // Two failovers: lb0 holds the address, then lb1, then lb0 again, each seen a minute late.
  { series: at("virtual_address_held", ADDRESS), values: "1x60 0x60 1x1320" },
  { series: at("virtual_address_held", ADDRESS, "lb1"), values: "0x60 1x61 0x1319" },
  { series: at("hook_success", HOOK), values: "1+0x1440" },
];

/** The same with one series replaced. */
function but(series: string, values: string): Series {
  return [...HEALTHY.filter((one) => one.series !== series), { series, values }];
}

const FAULTS: [alert: string, series: Series][] = [
  ["AcmeLbDown", but('up{instance="lb0",job="acme-lb"}', "0+0x1440")],
  ["AcmeLbReloadFailed", but(at("config_last_reload_successful"), "0+0x1440")],
  ["AcmeLbPeerSilent", but(at("peer_answers_total", 'peer="d",outcome="refused"'), "0+1x1440")],
  ["AcmeLbPeerSilent", but(at("peer_answers_total", 'peer="d",outcome="timeout"'), "0+1x1440")],
  ["AcmeLbOverloaded", but(at("lookups_total", 'result="overloaded"'), "0+5x1440")],
  ["AcmeLbTurnedAway", but(at("turned_away_total"), "0+50x1440")],
  ["AcmeLbAcceptErrors", but(at("accept_errors_total"), "0+1x1440")],
  ["AcmeLbVirtualAddressHeldTwice", [
    ...HEALTHY,
    { series: at("virtual_address_held", ADDRESS, "lb2"), values: "1+0x1440" },
  ]],
  ["AcmeLbVirtualAddressUnheld", [
    ...HEALTHY,
    { series: at("virtual_address_held", 'address="2001:db8::2"'), values: "0+0x1440" },
  ]],
  ["AcmeLbHookFailed", but(at("hook_success", HOOK), "0+0x1440")],
];

/** The alerts that fire at each of these minutes. */
async function assertFiring(series: Series, expected: Record<number, string[]>): Promise<void> {
  const promql_expr_test = Object.entries(expected).map(([minute, alerts]) => ({
    expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
    eval_time: `${minute}m`,
    exp_samples: alerts.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
  }));
  const path = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(
      path,
      JSON.stringify({
        rule_files: [RULES],
        evaluation_interval: "1m",
        tests: [{ interval: "1m", input_series: series, promql_expr_test }],
      }),
    );
    const { code, said } = await promtool(["test", "rules", path]);
    assert.equal(code, 0, said);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test({
  name: "no alert on the server fires on a healthy fleet for a day",
  ignore: !hasPromtool,
  fn: async () => {
    const checked = await promtool(["check", "rules", RULES]);
    assert.equal(checked.code, 0, checked.said);
    const silent = Object.fromEntries([1, 30, 60, 720, 1439].map((minute) => [minute, []]));
    await assertFiring(HEALTHY, silent);
  },
});

Deno.test({
  name: "each fault of a server fires its own alert, and no other",
  ignore: !hasPromtool,
  fn: async () => {
    for (const [alert, series] of FAULTS) await assertFiring(series, { 60: [alert], 720: [alert] });
    const text = await Deno.readTextFile(RULES);
    const alerts = new Set([...text.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!));
    assert.deepEqual(new Set(FAULTS.map(([alert]) => alert)), alerts);
  },
});
