/**
 * One command to a HAProxy runtime API socket and its whole answer, within a deadline.
 *
 * A connection for each command, half-closed after it as with the manual's `echo | socat`, so that
 * worker and master both close after the answer, and a part is never taken for the whole.
 * replies.ts reads the answers.
 */
import { messageOf } from "../errors.ts";
import { errnoOf } from "../system_reason.ts";
import { deadline, orAborted } from "../time.ts";
import { socketFault } from "../trusted_socket.ts";
import { isSocketPath } from "../runtime_address.ts";

/** The longest that HAProxy may take for one command, in milliseconds. */
const DEADLINE_MS = 5_000;

/** `show ssl cert` of a hundred thousand certificates is 5 MB; nothing asked here is longer. */
const LONGEST_ANSWER = 16 << 20;

/**
 * The answer. Only `reply` holds text of HAProxy; the other kinds say why there is none:
 *
 * - `down`: nobody listens there
 * - `denied`: this user may not connect, or a key would go to a socket of another user
 * - `silent`: closed without an answer; HAProxy before 2.9 does so when a command is too long for
 *   it
 * - `timeout`: no complete answer within the deadline
 * - `broken`: the connection failed, or the answer was endless
 */
export type RuntimeAnswer =
  | { kind: "reply"; text: string }
  | { kind: "down" | "denied" | "silent" | "timeout" | "broken"; detail: string };

export interface RuntimeOptions {
  /** @default 5000 */
  deadlineMs?: number;
}

/**
 * Sends `command`, which may end in a payload, with its final newline added.
 * @param socket the path of a UNIX socket (it holds a slash), or HOST:PORT, `[::1]:9999` for IPv6
 */
export async function askSocket(
  socket: string,
  command: string,
  options: RuntimeOptions = {},
): Promise<RuntimeAnswer> {
  const { deadlineMs = DEADLINE_MS } = options;
  using limit = deadline(deadlineMs);
  const heard = { text: "" };
  try {
    // Every command with a key passes this check.
    const carriesKey = command.includes("PRIVATE KEY-----") && isSocketPath(socket);
    const fault = carriesKey ? await socketFault(socket) : undefined;
    if (fault) return { kind: "denied", detail: `the private key is not sent to it: ${fault}` };
    using connection = await connect(socket, limit.signal);
    limit.signal.addEventListener("abort", () => closeQuietly(connection), { once: true });
    await send(connection, command + "\n");
    await listen(connection, heard);
  } catch (error) {
    // HAProxy ends each answer with a blank line; errors of the connection after that do not
    // matter.
    if (heard.text.endsWith("\n\n")) return { kind: "reply", text: heard.text };
    if (limit.passed) {
      return { kind: "timeout", detail: `no complete answer within ${deadlineMs / 1000} s` };
    }
    const hungUp = heard.text === "" && HANG_UPS.has(errnoOf(error) ?? "");
    return hungUp ? SILENT : faultOf(error);
  }
  // A command without output is answered with an empty line, so this is an answer.
  return heard.text === "" ? SILENT : { kind: "reply", text: heard.text };
}

const SILENT: RuntimeAnswer = {
  kind: "silent",
  detail: "it closed the connection without an answer",
};

/** Errno names when HAProxy closes while the command is still being sent. */
const HANG_UPS = new Set(["EPIPE", "ECONNRESET", "ENOTCONN"]);

/** HAProxy may have sent a reason before it closed, so {@link listen} still reads it. */
async function send(connection: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
    await connection.closeWrite();
  } catch (error) {
    if (!HANG_UPS.has(errnoOf(error) ?? "")) throw error;
  }
}

/** Reads to the end into `heard`, which keeps what was received before a failure. */
async function listen(connection: Deno.Conn, heard: { text: string }): Promise<void> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 << 10);
  for (let n; (n = await connection.read(buffer)) !== null;) {
    heard.text += decoder.decode(buffer.subarray(0, n), { stream: true });
    if (heard.text.length > LONGEST_ANSWER) throw new Error("its answer is endless");
  }
}

function faultOf(error: unknown): Exclude<RuntimeAnswer, { kind: "reply" }> {
  const code = errnoOf(error);
  switch (code) {
    case "ENOENT":
      return { kind: "down", detail: "there is no such socket" };
    case "ECONNREFUSED":
      return { kind: "down", detail: "nobody listens there" };
    case "EACCES":
    case "EPERM":
      return { kind: "denied", detail: "this user may not open the socket" };
    case "EAGAIN":
      return { kind: "timeout", detail: "its queue of connections is full" };
  }
  return { kind: "broken", detail: code ?? messageOf(error) };
}

async function connect(socket: string, signal: AbortSignal): Promise<Deno.Conn> {
  const attempt: Promise<Deno.Conn> = isSocketPath(socket)
    ? connectToPath(socket)
    : Deno.connect({ ...splitAddress(socket), signal });
  try {
    return await orAborted(attempt, signal);
  } catch (error) {
    attempt.then(closeQuietly, () => {});
    throw error;
  }
}

/**
 * Connecting to a path blocks this whole process, also its timers, where the file system does not
 * answer; so a thread looks there first.
 */
async function connectToPath(path: string): Promise<Deno.Conn> {
  // What is wrong with the path, connecting says.
  await Deno.lstat(path).catch(() => {});
  return await Deno.connect({ transport: "unix", path });
}

function splitAddress(address: string): { hostname: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  if (!match) throw new Error("it is neither a path nor HOST:PORT");
  return { hostname: match[1] ?? match[2]!, port: Number(match[3]) };
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It was closed already.
  }
}
