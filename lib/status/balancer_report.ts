/**
 * The report of one balancer to the others: its format on the wire, and its bounds.
 *
 * It holds no key, no key authorization and no path that the configuration, which all balancers
 * share, does not name. Instants are ISO 8601 in UTC, to the second, by the clock of that balancer.
 * The bounds hold for both sides: the sender cuts to them, the reader refuses more.
 */

import type { State } from "../expiry/record.ts";

/** Raised when a member changes its meaning; members may be added within one number. */
export const REPORT_FORMAT = 1;

/** The path of the challenge port that sends it, only to balancers. */
export const STATUS_TARGET = "/acme-lb/status";

export const BOUNDS = {
  /** Bytes of the whole report. */
  bytes: 131_072,
  addresses: 255,
  ports: 48,
  health: 8,
  peers: 64,
  challenges: 50,
  certificates: 40,
  /** Names of one certificate. */
  names: 20,
  /** Characters of a name, a path or an issuer. */
  word: 255,
  /** Characters of a sentence. */
  text: 400,
} as const;

/** A virtual address on one of the interfaces. */
export interface HeldAddress {
  address: string;
  /** Null: it was there already when acme-lb started. */
  since: string | null;
}

export interface ServedPort {
  role: string;
  /** As in the configuration: `[::]:80`. */
  address: string;
}

/** The outcome of the last request to a peer. */
export interface PeerContact {
  /** Its challenge port, as in the configuration. */
  peer: string;
  /** The word of the log: `found`, `absent`, `timeout`, … */
  outcome: string;
  at: string;
}

/** A challenge that was answered on the public port. */
export interface SeenChallenge {
  at: string;
  /** The first characters of the token. */
  token: string;
  /** The address of who asked. */
  from: string;
  /** Where the key authorization was found: `own`, a peer, a solver; null when nowhere. */
  source: string | null;
  ms: number;
  status: number;
}

/** A certificate of the configuration, as check-expiry judges it. */
export interface ToldCertificate {
  /** The file, or `NAME at SOCKET` for HAProxy's memory. */
  place: string;
  names: string[];
  /** Upper-case hexadecimal; null, as the rest, when no certificate could be read. */
  serial: string | null;
  issuer: string | null;
  not_before: string | null;
  not_after: string | null;
  verdict: State;
  /** What is wrong and what to do; "" when nothing is. */
  text: string;
}

/** How the last run of the ACME client's hook ended; see hook_state.ts. */
export interface HookRun {
  at: string;
  ok: boolean;
  /** The client of `--hook`, or `assemble-pem` without one. */
  client: string;
  /** The PEM file that it writes. */
  out: string;
  /** Why it failed; "" when it did not. */
  text: string;
}

export interface BalancerReport {
  format: typeof REPORT_FORMAT;
  /** Drawn at the start of the process: two addresses that tell the same one lead to one balancer. */
  instance: string;
  /** Its name in cluster.nodes; null when none of its addresses stands there. */
  name: string | null;
  version: string;
  /** Its clock. */
  now: string;
  uptime_s: number;
  /** Digest of the configuration in use. */
  config: string;
  holds: HeldAddress[];
  ports: ServedPort[];
  /** What its /healthz says. */
  health: { faults: string[]; notes: string[] };
  /** Open connections on all ports, and connections closed in favour of others since the start. */
  connections: number;
  evicted: number;
  peers: PeerContact[];
  /** The newest first. */
  challenges: SeenChallenge[];
  /** The worst first. */
  certificates: ToldCertificate[];
  /** How many certificates were looked at, of which the worst are told; null: none has been yet. */
  certificates_total: number | null;
  /** When a certificate was last seen to be renewed. */
  renewed_at: string | null;
  hook: HookRun | null;
}
