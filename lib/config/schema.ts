/**
 * The configuration: every key, its default and its limits, in one place.
 *
 * The one place where `valibot` is used. Durations come out in milliseconds, addresses parsed.
 */

import { startOf } from "../clip.ts";
import * as v from "valibot";
import { familyOf, parseSocketAddress } from "../address.ts";
import { messageOf } from "../errors.ts";
import { parsePeer } from "../peer.ts";
import {
  parseAbsolutePath,
  parseEmail,
  parseHstsAge,
  parseInclude,
  parseInterface,
  parseIpAddress,
  parseListedHost,
  parseListedNetwork,
  parseNodeName,
  parsePreemptDelay,
  parseRuntimeSocket,
  parseServerName,
  parseSolver,
  parseTimeout,
  parseUrlPath,
} from "./values.ts";

const KEYS_EXPECTED = "expected lines of `key: value`";

/**
 * A string read by a function whose SyntaxError becomes the issue's message; `what` says what is
 * expected of a value that is no string at all.
 */
function text<T>(what: string, parse: (text: string) => T) {
  return v.pipe(
    v.string(`expected ${what}`),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value);
      } catch (error) {
        addIssue({ message: messageOf(error) });
        return NEVER;
      }
    }),
  );
}

function list<T extends v.GenericSchema>(item: T, { most, like }: { most: number; like: string }) {
  return v.pipe(
    v.array(item, `expected a list such as [${like}]`),
    v.maxLength(most, `expected at most ${most} entries`),
  );
}

/** A list of addresses, or `what` else, of which `like` is one as the file has it. */
function listLike<T>(
  like: string,
  parse: (text: string) => T,
  { most, what = "an address" }: { most: number; what?: string },
) {
  return list(text(`${what} such as ${like}`, parse), { most, like });
}

function wholeNumber(least: number, most: number) {
  const message = `expected a whole number from ${least} to ${most}`;
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(least, message),
    v.maxValue(most, message),
  );
}

function section<T extends v.ObjectEntries>(entries: T) {
  const schema = v.strictObject(entries, KEYS_EXPECTED);
  // Every entry has a default, which the type of a generic `entries` cannot tell.
  return v.nullish(schema, {} as v.InferInput<typeof schema>);
}

/** A key: its values, its default, and the sentence that docs/configuration.md has of it. */
function key<T extends v.GenericSchema, const D extends v.Default<T, null>>(
  schema: T,
  fallback: D,
  description: string,
) {
  return v.pipe(v.nullish(schema, fallback), v.description(description));
}

const path = text("an absolute path", parseAbsolutePath);
const paths = list(path, { most: 16, like: "/run/acme/acme-challenge" });
const host = text("a host name", parseListedHost);
const listen = listLike('"[::]:80"', parseSocketAddress, { most: 16 });
const ipAddress = text("an IP address", parseIpAddress);
const ipAddresses = (most: number) => list(ipAddress, { most, like: '"2001:db8::1"' });
const peers = (most: number) => listLike('"[2001:db8::f001]:31080"', parsePeer, { most });

/** Where keepalived puts the addresses: one interface, or one for each balancer. */
const interfaces = v.lazy((value) =>
  typeof value === "object" && !Array.isArray(value)
    ? v.record(
      text("a balancer's name", parseNodeName),
      text("an interface's name", parseInterface),
      KEYS_EXPECTED,
    )
    : text("an interface's name", parseInterface)
);

const virtualAddress = v.lazy((value) =>
  typeof value === "object" && value !== null
    ? v.strictObject(
      { address: ipAddress, router_id: v.nullish(wholeNumber(1, 255)) },
      'expected an IP address or {address: "…", router_id: …}',
    )
    : v.pipe(ipAddress, v.transform((address) => ({ address, router_id: undefined })))
);

const serverName = v.lazy((value) =>
  typeof value === "boolean"
    ? v.literal(false, "expected a host name or false")
    : text("a host name or false", parseServerName)
);

/** A year, as `hsts: true`. */
const HSTS_MS = 365 * 86_400_000;
const hsts = v.lazy((value) =>
  typeof value === "boolean"
    ? v.pipe(v.boolean(), v.transform((on) => on ? HSTS_MS : 0))
    : text("true, false or a duration such as 30d", parseHstsAge)
);

const DURATION = "a duration such as 500ms or 2s";
const timeout = text(DURATION, parseTimeout);
const boolean = v.boolean("expected true or false");

/** All of the file; an empty one, and any key with nothing after it, gives the defaults. */
const configSchema = v.strictObject({
  webroot: key(
    v.lazy((value) =>
      Array.isArray(value)
        ? v.pipe(paths, v.minLength(1, "expected at least one entry"))
        : v.pipe(path, v.transform((one) => [one]))
    ),
    "/run/acme/acme-challenge",
    "Where ACME clients put tokens: one directory or a list, each flat (`TOKEN`) or nested " +
      "(`.well-known/acme-challenge/TOKEN`).",
  ),
  public: section({
    listen: key(
      listen,
      ["[::]:80"],
      "Where challenges are answered for the CA and everything else is redirected. `[::]` takes " +
        "IPv4 as well, and is `0.0.0.0` on a kernel without IPv6.",
    ),
    proxy_protocol: key(
      listLike('"192.0.2.0/24"', parseListedNetwork, { most: 64, what: "a network" }),
      [],
      "Addresses and networks of balancers in front that announce the client by the PROXY " +
        "protocol, version 1 or 2. The client is then the source for all limits and log lines.",
    ),
  }),
  challenge: section({
    listen: key(
      listen,
      ["[::]:31080"],
      "Where the other balancers ask this one for tokens; open it only between the balancers.",
    ),
    allow: key(
      v.picklist(["any", "peers"], "expected any or peers"),
      "any",
      "Who is answered on the challenge port: `any`, or `peers`, which answers only peers and the " +
        "cluster's addresses.",
    ),
    solvers: key(
      listLike('"127.0.0.1:31081"', parseSolver, { most: 8 }),
      [],
      "ACME clients of this machine that listen and answer challenges themselves, such as " +
        "HAProxy's own ACME, `certbot --standalone` or `lego --http.port`; asked after the " +
        "webroots, on loopback or the machine's own addresses. It is no fault when none listens.",
    ),
  }),
  peers: key(
    peers(64),
    [],
    "The challenge ports of all balancers, this one included: `[IPv6]:port`, `IPv4:port` or " +
      "`dns:name:port`.",
  ),
  lookup: section({
    connect_timeout: key(timeout, "1s", "For the connection to one peer."),
    timeout: key(timeout, "2s", "For all peers together; the CA gives up near 10 s."),
  }),
  redirect: section({
    status: key(
      v.picklist(["auto", 301, 302, 307, 308], "expected auto, 301, 302, 307 or 308"),
      "auto",
      "`auto` is 301 for GET and HEAD and 308 for other methods; or 301, 302, 307, 308.",
    ),
    hosts: key(
      list(host, { most: 1000, like: "service.example" }),
      [],
      "Hosts that are redirected, as names and `*.suffix`; others get 421. An empty list takes " +
        "every well-formed host.",
    ),
    https_port: key(wholeNumber(1, 65535), 443, "The port that redirects lead to."),
  }),
  metrics: section({
    listen: key(listen, [], 'Where `/metrics` and `/healthz` are served, such as `"[::1]:9180"`.'),
  }),
  certificates: key(
    list(path, { most: 1000, like: "/etc/haproxy/certs" }),
    [],
    "Files, directories and globs that check-expiry and the metrics look at.",
  ),
  state: key(
    path,
    "/var/lib/acme-lb",
    "Where `assemble-pem` leaves how its last run ended, for `serve` to tell; nothing is kept " +
      "where this directory is missing.",
  ),
  haproxy: section({
    sockets: key(
      listLike("/run/haproxy/admin.sock", parseRuntimeSocket, { most: 16 }),
      [],
      "HAProxy's runtime API: paths such as `/run/haproxy/admin.sock`, or HOST:PORT; the first one " +
        "is what `render haproxy` sets up.",
    ),
  }),
  limits: section({
    connections: key(wholeNumber(16, 100_000), 4096, "Open connections on each port."),
    per_source: key(
      wholeNumber(1, 100_000),
      256,
      "Open connections of one source: an IPv4 address or an IPv6 /64.",
    ),
    fan_outs: key(wholeNumber(4, 10_000), 64, "Lookups among the peers at the same time."),
    per_peer: key(wholeNumber(1, 1000), 32, "Questions to one peer at the same time."),
    per_suspect_peer: key(
      wholeNumber(1, 1000),
      2,
      "The same, for a peer that did not answer the last one.",
    ),
  }),
  cluster: v.pipe(
    section({
      interface: key(
        interfaces,
        "eth0",
        "Where keepalived puts virtual addresses: one interface, or one for each balancer as " +
          "`{lb0: eth0, lb1: ens3}`.",
      ),
      nodes: key(
        v.record(
          text("a name", parseNodeName),
          ipAddresses(16),
          "expected names, each with addresses",
        ),
        {},
        "Each balancer's name with its own addresses, such as " +
          '`lb0: ["2001:db8::f001", "192.0.2.11"]`. Balancer i is preferred for address i of each ' +
          "family.",
      ),
      virtual_addresses: key(
        list(virtualAddress, { most: 255, like: '"2001:db8::1"' }),
        [],
        "The addresses that keepalived moves between balancers, each alone or as " +
          "`{address: …, router_id: …}`. Without a router_id, the first of each family has " +
          "`virtual_router_id`, the next one the next.",
      ),
      virtual_router_id: key(
        wholeNumber(1, 255),
        1,
        "VRRP's id of the first virtual address of each family. The ids must be free in the " +
          "network segment, where other keepalived may run.",
      ),
      unicast: key(
        boolean,
        false,
        "keepalived sends to each other balancer instead of to a multicast group, which clouds " +
          "and some switches drop.",
      ),
      preempt_delay: key(
        text("a duration such as 30s", parsePreemptDelay),
        "0s",
        "How long a balancer waits before it takes an address from another one of lower priority " +
          "(also from one whose check fails; not from one that is down).",
      ),
      include: key(
        list(text("an absolute path", parseInclude), {
          most: 16,
          like: "/etc/keepalived/local.conf",
        }),
        [],
        "Files with lines of your own for keepalived, read after the rendered ones.",
      ),
      public_addresses: key(
        ipAddresses(64),
        [],
        "The addresses in the DNS where a router translates addresses (NAT). self-test asks them, and " +
          "reports a missing answer as a note: many routers do not allow this from inside.",
      ),
      names: key(
        list(host, { most: 100, like: "service.example" }),
        [],
        "The service's names, for certificates and checks.",
      ),
      email: key(
        text("an email address", parseEmail),
        null,
        "For the CA's account of each ACME client that is rendered; without it they have none.",
      ),
      backends: key(
        peers(256),
        [],
        'Where HAProxy passes requests on to, such as `"[2001:db8::b001]:443"`.',
      ),
      backend_check: key(
        text("a URL's path", parseUrlPath),
        "/status",
        "The path that HAProxy requests from each backend; 2xx and 3xx mean that it is up.",
      ),
      backend_tls: key(boolean, true, "`false` speaks plain HTTP to the backends."),
      backend_ca: key(
        path,
        "/etc/haproxy/backend-ca.pem",
        "The CA that must have issued the backends' certificates.",
      ),
      backend_name: key(
        serverName,
        null,
        "The name that HAProxy sends to the backends (SNI) and looks for in their certificates: " +
          "without it the first of `names`; `false` sends and checks none.",
      ),
      hsts: key(
        hsts,
        false,
        "Whether HAProxy sends Strict-Transport-Security: `true` is a year, or a duration such " +
          "as `30d`. Browsers remember it for that time, and refuse plain HTTP.",
      ),
    }),
    v.transform(withRouterIds),
  ),
}, KEYS_EXPECTED);

/** An address that keepalived moves, with its id in VRRP (RFC 5798 section 5.2.3). */
export interface VirtualAddress {
  address: string;
  router_id: number;
}

/** Ids for those without: counted by place in the list, for each family apart. */
function withRouterIds<
  T extends {
    virtual_addresses: { address: string; router_id?: number | null | undefined }[];
    virtual_router_id: number;
  },
>(cluster: T): Omit<T, "virtual_addresses"> & { virtual_addresses: VirtualAddress[] } {
  const counts = { 4: 0, 6: 0 };
  const virtual_addresses = cluster.virtual_addresses.map(({ address, router_id }) => {
    const place = counts[familyOf(address)]++;
    return { address, router_id: router_id ?? cluster.virtual_router_id + place };
  });
  return { ...cluster, virtual_addresses };
}

export type Config = v.InferOutput<typeof configSchema>;

/** One mistake: where in the document, whether the key itself is meant, and what is wrong. */
export interface Mistake {
  path: (string | number)[];
  part: "key" | "value";
  message: string;
  /** For an unknown key, the keys that may stand there. */
  known?: string[];
}

/** The configuration in a plain value, each value for itself; or every mistake in it. */
export function readValues(value: unknown): { config: Config } | { mistakes: Mistake[] } {
  const result = v.safeParse(configSchema, value ?? {});
  if (result.success) return { config: result.output };
  const mistakes = result.issues.flatMap(toMistakes);
  // A value may break several rules of one message.
  return { mistakes: [...new Map(mistakes.map((one) => [JSON.stringify(one), one])).values()] };
}

function toMistakes(issue: v.BaseIssue<unknown>): Mistake[] {
  const items = issue.path ?? [];
  const path = items.map((item) => item.key as string | number);
  // Valibot takes a list for an object whose keys are numbers.
  const list = items.findIndex(({ type, input }) => type === "object" && Array.isArray(input));
  if (list >= 0) {
    const message = `${KEYS_EXPECTED}, got a list`;
    return [{ path: path.slice(0, list), part: "value", message }];
  }
  const last = items.at(-1);
  if (issue.type === "strict_object" && issue.expected === "never") {
    // Valibot stops at the first unknown key of a section.
    const section = path.slice(0, -1);
    const known = Object.keys(keysAt(section));
    return Object.keys(last!.input as object).filter((key) => !known.includes(key))
      .map((key) => ({ path: [...section, key], part: "key", message: "unknown key", known }));
  }
  const part = last && "origin" in last && last.origin === "key" ? "key" : "value";
  const got = issue.type === "max_length" ? issue.received : shown(issue.input);
  return [{ path, part, message: `${issue.message}, got ${got}` }];
}

/** A value as an operator would recognise it; not escaped. */
function shown(value: unknown): string {
  if (value == null) return "nothing";
  if (Array.isArray(value)) return value.length > 0 ? "a list" : "an empty list";
  if (typeof value === "object") return "keys and values";
  const text = typeof value === "string" ? `"${value}"` : String(value);
  return text.length > 80 ? `${startOf(text, 80)}…` : text;
}

/** The parts of schemas through which a path leads. */
type Part = {
  wrapped?: Part;
  entries?: v.ObjectEntries;
  item?: Part;
  getter?: (value: unknown) => Part;
};

/** The entries of the section, or of the list's entry, that a path leads to. */
function keysAt(path: (string | number)[]): v.ObjectEntries {
  let part = unwrapped(configSchema as Part);
  for (const step of path) {
    part = unwrapped((part.entries?.[String(step)] ?? part.item ?? {}) as Part);
  }
  return part.entries ?? {};
}

/** Without the default around it; of a value that takes several forms, the one with keys. */
function unwrapped(part: Part): Part {
  if (part.wrapped) return unwrapped(part.wrapped);
  return part.getter ? unwrapped(part.getter({})) : part;
}

/** A key as docs/configuration.md describes it. */
interface ConfigKey {
  /** Dotted, such as `public.listen`. */
  key: string;
  /** As the file has it, in a plain value: `["[::]:80"]`. */
  fallback: unknown;
  description: string;
}

/** Every key of the file, or of a section, in the order of the schema; sections left out. */
export function configKeys(part: unknown = configSchema, before = ""): ConfigKey[] {
  const { entries = {} } = unwrapped(part as Part);
  return Object.entries(entries).flatMap(([name, schema]) => {
    const key = `${before}${name}`;
    const description = v.getDescription(schema as v.GenericSchema);
    if (description === undefined) return configKeys(schema, `${key}.`);
    return [{ key, fallback: v.getDefault(schema as v.GenericSchema), description }];
  });
}
