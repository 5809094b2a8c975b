/**
 * A rolling change from nginx: two balancers run acme-lb, one still runs the source document's
 * nginx, with its file of examples/. Certificates are obtained on each of the three in turn. One
 * order has a name for each virtual address, so the CA asks every balancer each time: nginx asks
 * acme-lb for the token, acme-lb asks nginx, and each answers from its own files.
 */

import { type Fleet, startFleet } from "./fleet.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";
import { declareStories, type Story } from "./story.ts";

/**
 * acmetool writes flat webroots, certbot nested ones. On nginx only acmetool: it is the source
 * document's client, and nginx serves its webroot. With a balancer dead, nginx may take 5 s:
 * acmetool's own test does not wait that long, the CA does.
 */
const STORIES: Story[] = [
  { while: "lb2 runs nginx", holder: "lb0", clients: ["acmetool", "certbot"] },
  { while: "lb2 runs nginx", holder: "lb1", clients: ["acmetool", "certbot"] },
  { while: "lb2 runs nginx", holder: "lb2", clients: ["acmetool"] },
  {
    while: "lb2 runs nginx and lb0 swallows packets",
    holder: "lb1",
    swallowing: ["lb0"],
    clients: ["certbot"],
  },
];
const CLIENTS = ["acmetool", "certbot"];

const lacked = lacking({
  for: "acme-lb and nginx as each other's peers",
  root: true,
  programs: [...NETWORK_PROGRAMS, "pebble", "pebble-challtestsrv", "openssl", "nginx"],
});
const missing = CLIENTS.filter((client) =>
  lacking({ for: `a mixed fleet with ${client}`, programs: [client] })
);
let fleet: Fleet;

Deno.test.beforeAll(async () => {
  if (!lacked) fleet = await startFleet({ nginx: "lb2" });
});

Deno.test.afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
});

declareStories(STORIES, { fleet: () => fleet, ignore: lacked, missing });
