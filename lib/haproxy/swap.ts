/**
 * Brings a certificate that is already on disk into every running HAProxy, or into none.
 */

/** One certificate for one or several HAProxy processes. */
export interface SwapRequest {
  /** Paths of UNIX sockets or HOST:PORT. Worker and master sockets are told apart by asking. */
  sockets: readonly string[];
  /** The certificate's name as HAProxy knows it: the path of the file as its configuration says. */
  name: string;
  /** What the file holds now: key, leaf, chain as PEM blocks, without blank lines. */
  pem: string;
  /** The leaf's serial number in hexadecimal; case, colons and leading zeros do not matter. */
  serial: string;
  /** What the file held before; undefined when it is new. */
  previousPem?: string;
  /** The crt-list that a new name is added to. @default the directory of `name` */
  crtList?: string;
  /** The file was already there, so a HAProxy that serves this leaf needs nothing. @default false */
  unchanged?: boolean;
  /** Brings the old file back. Called at most once, when the swap failed, before HAProxy's memory is rolled back. */
  putBack: () => Promise<void>;
}

/** What became of one socket. */
export type SocketOutcome = {
  socket: string;
  /** `swapped`, `added`, `reloaded`, `current` are good; `rolled_back` was good until another failed. */
  outcome: string;
  /** One line for the operator, without a name in front. */
  message: string;
};

/**
 * - `served`: every HAProxy serves the certificate
 * - `down`: nothing failed, but at least one socket has no HAProxy behind it; the file stays, since
 *   HAProxy reads it when it starts
 * - `failed`: the old file is back, and so is the old certificate wherever the new one had arrived
 */
export interface SwapResult {
  state: "served" | "down" | "failed";
  outcomes: SocketOutcome[];
}

/** Never throws for what HAProxy does; only `putBack`'s own error passes through. */
export function swapCertificate(_request: SwapRequest): Promise<SwapResult> {
  throw new Error("not written yet");
}
