/**
 * A HAProxy made of its sentences, on a real UNIX socket: a model of the certificates of one
 * worker whose answers can be spoiled at any step. What it says by itself was recorded from
 * HAProxy 2.6.12.
 */
import { leafFingerprint } from "./leaf_fingerprint.ts";

/** How a step goes wrong. */
export type Spoil =
  /** The connection is closed without a word and nobody listens from then on. */
  | "die"
  /** The right answer, and nobody listens from then on. */
  | "last_words"
  /** Nothing, ever. */
  | "hang"
  /** The connection is closed without a word; `applied`: after doing as told. */
  | "silent"
  | "silent_applied"
  /** The first half of the right answer. */
  | "half"
  /** Something else altogether. */
  | { say: string };

/** Steps by the kind of command. `pending` is `show ssl cert *NAME`. */
export type Step =
  | "list"
  | "show"
  | "pending"
  | "lists"
  | "dump"
  | "set"
  | "commit"
  | "abort"
  | "new"
  | "add"
  | "del";

/** The second line of what HAProxy says to a command while another one, or its ACME, holds the lock. */
export const LOCKED = "Operations on certificates are currently locked!\n";

export interface FakeHaproxy extends AsyncDisposable {
  socket: string;
  /** Name to PEM. */
  memory: Map<string, string>;
  crtLists: Map<string, Set<string>>;
  transaction?: { name: string; pem: string };
  /** First words of all commands, in order. */
  log: string[];
  /** The step, and which occurrence of it, that goes wrong, such as `commit#1`. */
  spoil: Map<`${Step}#${number}`, Spoil>;
  /** Called before each command is carried out: the other client in the room. */
  interfere?: (step: Step | "other", nth: number) => void;
  /**
   * What `set` does while another name's transaction is open: 2.6.12 `mixes`. It also `cuts` the
   * ending `.crt` off every name.
   */
  set: "mixes" | "refuses" | "cuts";
}

export async function startFake(memory: Record<string, string>): Promise<FakeHaproxy> {
  const directory = await Deno.makeTempDir({ prefix: "fake_haproxy_" });
  const socket = `${directory}/admin.sock`;
  const listener = Deno.listen({ transport: "unix", path: socket });
  const seen = new Map<string, number>();
  const hanging = new Set<Deno.Conn>();
  const fake: FakeHaproxy = {
    socket,
    memory: new Map(Object.entries(memory)),
    crtLists: new Map(),
    log: [],
    spoil: new Map(),
    set: "mixes",
    [Symbol.asyncDispose]: async () => {
      closeQuietly(listener);
      for (const connection of hanging) closeQuietly(connection);
      await served;
      await Deno.remove(directory, { recursive: true });
    },
  };
  const serve = async (connection: Deno.Conn) => {
    const text = await readAll(connection);
    const step = stepOf(text);
    const nth = (seen.get(step) ?? 0) + 1;
    seen.set(step, nth);
    fake.log.push(text.split("\n", 1)[0]!.replace(/ <<$/, ""));
    fake.interfere?.(step, nth);
    const spoil = step === "other" ? undefined : fake.spoil.get(`${step}#${nth}`);
    if (spoil === "hang") return void hanging.add(connection);
    if (spoil === "die" || spoil === "last_words") closeQuietly(listener);
    if (!spoil || ["half", "silent_applied", "last_words"].includes(spoil as string)) {
      const answer = await answerOf(fake, text);
      const heard = { half: 0.5, silent_applied: 0 }[spoil as string] ?? 1;
      const said = answer.slice(0, answer.length * heard);
      await connection.write(new TextEncoder().encode(said)).catch(() => {});
    } else if (typeof spoil === "object") {
      await connection.write(new TextEncoder().encode(spoil.say));
    }
    closeQuietly(connection);
  };
  const served = (async () => {
    try {
      for (;;) await serve(await listener.accept());
    } catch {
      // Closed by us.
    }
  })();
  return fake;
}

function stepOf(command: string): Step | "other" {
  if (/^show ssl cert\n/.test(command)) return "list";
  if (/^show ssl cert \*/.test(command)) return "pending";
  if (/^show ssl crt-list\n/.test(command)) return "lists";
  const [, verb] =
    /^(show|dump|set|commit|abort|new|add|del) ssl (?:cert|crt-list) /.exec(command) ??
      [];
  return (verb as Step | undefined) ?? "other";
}

async function answerOf(fake: FakeHaproxy, text: string): Promise<string> {
  const [line = "", ...payload] = text.split("\n");
  const [verb, , what, given = "", second = ""] = line.split(" ");
  const name = fake.set === "cuts" && verb === "set" ? given.replace(/\.crt$/, "") : given;
  const pem = payload.slice(0, payload.indexOf("")).join("\n") + "\n";
  const { memory, transaction, crtLists } = fake;
  const mine = transaction?.name === name;
  switch (`${verb} ${what}`) {
    case "show crt-list":
      return [...crtLists.keys()].map((list) => `${list}\n`).join("") + "\n";
    case "show cert": {
      if (name.startsWith("*")) {
        const known = transaction && `*${transaction.name}` === name;
        return known ? await shown(name, { pem: transaction.pem, status: "Unused" }) : NOT_FOUND;
      }
      if (name !== "") {
        const known = memory.get(name);
        if (known === undefined) return NOT_FOUND;
        const lists = [...crtLists.values()];
        const used = lists.length === 0 || lists.some((list) => list.has(name));
        return await shown(name, { pem: known, status: used ? "Used" : "Unused" });
      }
      const open = transaction ? `# transaction\n*${transaction.name}\n` : "";
      return `${open}# filename\n${[...memory.keys()].map((key) => `${key}\n`).join("")}\n`;
    }
    case "dump cert": {
      // Of 3.2: key, leaf, chain; nothing without a key.
      const blocks = memory.get(name)?.match(/-----BEGIN [^]*?-----END .*-----\n/g);
      if (!blocks) return memory.has(name) ? "\n" : NOT_FOUND;
      const isKey = (block: string) => block.includes("PRIVATE KEY");
      const keys = blocks.filter(isKey);
      const rest = blocks.filter((block) => !isKey(block));
      return keys.length === 0 ? "\n" : [...keys, ...rest].join("") + "\n";
    }
    case "set cert":
      if (transaction && !mine) {
        if (fake.set === "refuses") {
          return about(transaction.name, `set '${name}'`) + `Can't update ${name}!\n\n`;
        }
        transaction.pem = pem;
        return `Transaction updated for certificate ${transaction.name}!\n\n`;
      }
      if (!memory.has(name)) return `${UNREFERENCED}\nCan't update ${name}!\n\n`;
      if (!/BEGIN CERTIFICATE/.test(pem)) {
        return `unable to load certificate from file '${name}'.\n` +
          `Can't load the payload\nCan't update ${name}!\n\n`;
      }
      fake.transaction = { name, pem };
      return `Transaction ${transaction ? "updated" : "created"} for certificate ${name}!\n\n`;
    case "commit cert":
      if (!transaction) return `No ongoing transaction! !\nCan't commit ${name}!\n\n`;
      if (!mine) return about(transaction.name, `set '${name}'`) + `Can't commit ${name}!\n\n`;
      memory.set(name, transaction.pem);
      fake.transaction = undefined;
      return `Committing ${name}.\nSuccess!\n\n`;
    case "abort cert":
      if (!transaction) return "No ongoing transaction!\n\n";
      if (!mine) return about(transaction.name, `abort a transaction for '${name}'`) + "\n";
      fake.transaction = undefined;
      return `Transaction aborted for certificate '${name}'!\n\n`;
    case "new cert":
      if (memory.has(name)) return `Certificate '${name}' already exists!\n\n`;
      memory.set(name, "");
      return `New empty certificate store '${name}'!\n\n`;
    case "add crt-list":
      crtLists.get(name)?.add(second);
      return `Inserting certificate '${second}' in crt-list '${name}'.\nSuccess!\n\n`;
    case "del crt-list":
      if (!crtLists.get(name)?.delete(second)) {
        return `Can't delete the entry: certificate '${second}' does not exist!\n\n`;
      }
      return `Entry '${second}' deleted in crtlist '${name}'!\n\n`;
    case "del cert":
      if (memory.delete(name)) return `Certificate '${name}' deleted!\n\n`;
      return `Can't remove the certificate: certificate '${name}' doesn't exist!\n\n\n`;
  }
  return "Unknown command, but maybe one of the following ones is a better match:\n\n";
}

const NOT_FOUND = "Can't display the certificate: Not found or the certificate is a bundle!\n\n";
const UNREFERENCED = "Can't replace a certificate which is not referenced by the configuration!";

function about(name: string, what: string): string {
  return `The ongoing transaction is about '${name}' but you are trying to ${what}\n`;
}

async function shown(
  name: string,
  { pem, status }: { pem: string; status: string },
): Promise<string> {
  const fingerprint = await leafFingerprint(pem);
  if (!fingerprint) return `Filename: ${name}\nStatus: Empty\n\n`;
  const chain = "Chain Subject: /CN=a CA\n".repeat(pem.split("BEGIN CERTIFICATE").length - 2);
  return `Filename: ${name}\nStatus: ${status}\nSHA1 FingerPrint: ${fingerprint}\n${chain}\n`;
}

async function readAll(connection: Deno.Conn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(1 << 16);
  for (let n; (n = await connection.read(buffer)) !== null;) {
    text += new TextDecoder().decode(buffer.subarray(0, n));
  }
  return text;
}

function closeQuietly(resource: { close: () => void }): void {
  try {
    resource.close();
  } catch {
    // Closed before.
  }
}
