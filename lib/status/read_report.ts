/**
 * A report of another balancer, read from what it sent: every member against its bounds, and the
 * whole against itself. A peer may be compromised, or no acme-lb at all.
 */

import { STATES } from "../expiry/record.ts";
import { parseIPv4, parseIPv6 } from "../address.ts";
import {
  type BalancerReport,
  BOUNDS,
  type HeldAddress,
  type HookRun,
  type PeerContact,
  REPORT_FORMAT,
  type SeenChallenge,
  type ServedPort,
  type ToldCertificate,
} from "./balancer_report.ts";
import {
  countTo,
  flag,
  instant,
  listOf,
  objectOf,
  oneOf,
  orNull,
  type Reader,
  textUpTo,
} from "./value_reader.ts";

const HUNDRED_YEARS_S = 3_155_760_000;
/** A clock further off than this tells nothing that could be compared. */
const MAX_CLOCK_OFFSET = 366 * 86_400_000;
/** Two events of one second may be told in either order. */
const SECOND = 1_000;

const word = textUpTo(BOUNDS.word);
const sentence = textUpTo(BOUNDS.text);
const closedWord = textUpTo(24, /^[a-z_]+$/, "a word of small letters");
const socketAddress = textUpTo(BOUNDS.word, /^[\w.:[\]%-]+$/, "an address with its port");
const ipAddress: Reader<string> = (value, at) => {
  const text = textUpTo(64)(value, at);
  const address = parseIPv4(text) ?? parseIPv6(text);
  if (address === undefined) throw new SyntaxError(`${at}: expected an IP address`);
  return address;
};
const hexadecimal = (most: number) => textUpTo(most, /^[0-9A-Fa-f]+$/, "hexadecimal digits");

const readShape = objectOf<BalancerReport>({
  format: oneOf([REPORT_FORMAT]),
  instance: hexadecimal(32),
  name: orNull(textUpTo(63, /^[A-Za-z0-9][A-Za-z0-9_.-]*$/, "a name")),
  version: textUpTo(64, /^[\w.+-]+$/, "a version"),
  now: instant,
  uptime_s: countTo(HUNDRED_YEARS_S),
  config: hexadecimal(64),
  holds: listOf(
    objectOf<HeldAddress>({ address: ipAddress, since: orNull(instant) }),
    BOUNDS.addresses,
  ),
  ports: listOf(objectOf<ServedPort>({ role: closedWord, address: socketAddress }), BOUNDS.ports),
  health: objectOf<BalancerReport["health"]>({
    faults: listOf(sentence, BOUNDS.health),
    notes: listOf(sentence, BOUNDS.health),
  }),
  connections: countTo(10_000_000),
  evicted: countTo(Number.MAX_SAFE_INTEGER),
  peers: listOf(
    objectOf<PeerContact>({ peer: socketAddress, outcome: closedWord, at: instant }),
    BOUNDS.peers,
  ),
  challenges: listOf(
    objectOf<SeenChallenge>({
      at: instant,
      token: textUpTo(16, /^[A-Za-z0-9_-]+$/, "the beginning of a token"),
      from: ipAddress,
      source: orNull(word),
      ms: countTo(3_600_000),
      status: countTo(999),
    }),
    BOUNDS.challenges,
  ),
  certificates: listOf(
    objectOf<ToldCertificate>({
      place: word,
      names: listOf(word, BOUNDS.names),
      serial: orNull(hexadecimal(64)),
      issuer: orNull(word),
      not_before: orNull(instant),
      not_after: orNull(instant),
      verdict: oneOf(STATES),
      text: sentence,
    }),
    BOUNDS.certificates,
  ),
  certificates_total: orNull(countTo(1_000_000)),
  renewed_at: orNull(instant),
  hook: orNull(
    objectOf<HookRun>({
      at: instant,
      ok: flag,
      client: textUpTo(32, /^[\w.-]+$/, "the name of a client"),
      out: word,
      text: sentence,
    }),
  ),
});

/**
 * The report in the body of an answer.
 * @param now milliseconds since the epoch, by the clock here
 * @throws {SyntaxError} naming the first member that is wrong, never its value
 */
export function readReport(body: string, now: number): BalancerReport {
  const report = readShape(parseJson(body), "");
  if (Math.abs(Date.parse(report.now) - now) > MAX_CLOCK_OFFSET) {
    throw new SyntaxError("now: its clock is more than a year from the one here");
  }
  refuseFuture(report);
  for (const [i, { not_before, not_after }] of report.certificates.entries()) {
    if ((not_before === null) !== (not_after === null)) {
      throw new SyntaxError(`certificates[${i}]: expected both dates or none`);
    }
    if (not_before !== null && not_after! < not_before) {
      throw new SyntaxError(`certificates[${i}]: it ends before it begins`);
    }
  }
  return report;
}

/** @throws {SyntaxError} when something is told as past that is yet to come by its own clock */
function refuseFuture(report: BalancerReport): void {
  const latest = Date.parse(report.now) + SECOND;
  const events: [string, string | null | undefined][] = [
    ...report.holds.map(({ since }, i): [string, string | null] => [`holds[${i}].since`, since]),
    ...report.peers.map(({ at }, i): [string, string] => [`peers[${i}].at`, at]),
    ...report.challenges.map(({ at }, i): [string, string] => [`challenges[${i}].at`, at]),
    ["renewed_at", report.renewed_at],
    ["hook.at", report.hook?.at],
  ];
  for (const [at, time] of events) {
    if (time != null && Date.parse(time) > latest) {
      throw new SyntaxError(`${at}: is later than the report itself`);
    }
  }
}

function parseJson(body: string): unknown {
  if (body.length > BOUNDS.bytes) throw new SyntaxError(`more than ${BOUNDS.bytes} bytes`);
  try {
    return JSON.parse(body);
  } catch (error) {
    // The message of JSON.parse() quotes the text; too deep nesting is no SyntaxError.
    throw new SyntaxError(error instanceof SyntaxError ? "not JSON" : "nested too deeply");
  }
}
