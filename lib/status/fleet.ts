/** The fleet as one balancer sees it: a row for each balancer, with what it told or why it did not. */

import type { AskFault } from "../http/ask.ts";
import type { BalancerReport } from "./balancer_report.ts";

/** Why there is no report; the words of the log, and some of this question's own. */
export type Silence =
  | AskFault
  | "unresolved"
  | "bad_status"
  | "redirected"
  /** 404: it is asked for a status, and tells none to this balancer. */
  | "not_told"
  /** It told something else than a report. */
  | "bad_report";

export interface BalancerRow {
  /** In cluster.nodes; else its address. */
  name: string;
  /** Its challenge port, as in the configuration; the first of several that answers. */
  address: string;
  /** This is the balancer that asks. */
  here: boolean;
  report?: BalancerReport;
  silence?: Silence;
  /** What was wrong with the report; only with `bad_report`. Never a value that was sent. */
  reason?: string;
  /** Other addresses of it that gave no answer. */
  deaf: string[];
  /** Milliseconds until the answer came, or until it was given up. */
  ms: number;
}

/** What the balancers are compared with. */
export interface Expected {
  /** The names of cluster.nodes. */
  nodes: string[];
  virtualAddresses: string[];
  /** keepalived's interface, for what an operator is told to look at. */
  interface: string;
  /** keepalived sends to each other balancer, not to a multicast group. */
  unicast: boolean;
  /** Digest of the configuration here. */
  config: string;
  /** The configuration file, or what stands for it. */
  file: string;
}

export interface FleetView {
  /** By the clock here. */
  now: Date;
  expected: Expected;
  rows: BalancerRow[];
}
