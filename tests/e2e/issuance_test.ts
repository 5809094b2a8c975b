/**
 * The main job on the real thing: each ACME client obtains a certificate
 * on the second of three balancers from a real CA, whichever balancer the CA reaches, whichever
 * are dead, and while they restart or reload.
 */

import assert from "node:assert/strict";
import { CLIENTS } from "./clients.ts";
import { delay } from "./daemon.ts";
import { type Fleet, startFleet } from "./fleet.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";
import { declareStories, type Story } from "./story.ts";

const STORIES: Story[] = [
  { while: "all balancers are well" },
  { while: "lb0 swallows packets", swallowing: ["lb0"] },
  { while: "lb2 swallows packets", swallowing: ["lb2"] },
  { while: "lb0 and lb2 swallow packets", swallowing: ["lb0", "lb2"] },
  { while: "the CA rejects 5 % of good nonces", rejectedNonces: 5 },
  // certbot and dehydrated give up at this rate, no matter what answers the challenge.
  {
    while: "the CA rejects 50 % of good nonces",
    rejectedNonces: 50,
    clients: ["acmetool", "lego"],
  },
  {
    while: "lb2, which the CA does not reach, restarts again and again",
    standby: ["lb2"],
    disturbance: restartAgainAndAgain,
  },
  { while: "every balancer gets SIGHUP ten times a second", disturbance: hangUpAllTheTime },
];

const CA_PROGRAMS = ["pebble", "pebble-challtestsrv", "openssl"];
const noCluster = lacking({
  for: "certificates from a real CA",
  root: true,
  programs: [...NETWORK_PROGRAMS, ...CA_PROGRAMS],
});
const missing = Object.keys(CLIENTS).filter((client) =>
  lacking({ for: `certificates with ${client}`, programs: [client] })
);
let fleet: Fleet;

Deno.test.beforeAll(async () => {
  if (!noCluster) fleet = await startFleet();
});

Deno.test.afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
});

declareStories(STORIES, { fleet: () => fleet, ignore: noCluster, missing });

async function restartAgainAndAgain(fleet: Fleet, signal: AbortSignal): Promise<number> {
  let restarts = 0;
  for (; !signal.aborted && restarts < 1000; restarts++) {
    assert.equal(await fleet.restart("lb2"), 0, "exit code of lb2 after SIGTERM");
    await delay(200);
  }
  return restarts;
}

async function hangUpAllTheTime({ balancers }: Fleet, signal: AbortSignal): Promise<number> {
  let rounds = 0;
  for (; !signal.aborted && rounds < 2000; rounds++) {
    for (const daemon of balancers.values()) daemon.signal("SIGHUP");
    await delay(100);
  }
  for (const { output } of balancers.values()) assert.match(await output(), /event=reloaded/);
  return rounds;
}
