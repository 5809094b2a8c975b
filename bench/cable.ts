/**
 * A machine for the balancer under measurement: a network namespace at the other end of a cable.
 *
 * This end of the cable is where the CA and the other balancers are. Neither namespace has a name,
 * so both are gone with the last process in them. Needs root and a namespace of our own.
 */

export interface Machine extends AsyncDisposable {
  /** Put before a command line to run it on that machine. */
  prefix: string[];
}

export interface CableOptions {
  /** Address of the machine, without a prefix length. */
  there: string;
  /** Addresses of this end. */
  here: string[];
  /** Port at this end whose packets are dropped unanswered: connects to it hang. */
  swallowing: number;
}

/** Lays the cable; both ends are usable at once. */
export async function layCable(options: CableOptions): Promise<Machine> {
  const { there, here, swallowing } = options;
  // It waits for its standard input to end, and with it the namespace goes.
  const holder = new Deno.Command("unshare", {
    args: ["--net", "sh", "-c", "echo ready; exec cat"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = holder.stdout.getReader();
  await reader.read();
  const prefix = ["nsenter", `--net=/proc/${holder.pid}/ns/net`];
  const machine: Machine = {
    prefix,
    async [Symbol.asyncDispose]() {
      await holder.stdin.close();
      await reader.cancel();
      await holder.status;
    },
  };
  try {
    // Link-local addresses are not needed and would first be probed for duplicates.
    await ipBatch([], [
      `link add cable type veth peer name eth0 netns ${holder.pid}`,
      "link set cable addrgenmode none",
      ...here.map((address) => `address add ${address}/64 dev cable nodad`),
      "link set cable up",
    ]);
    await ipBatch(prefix, [
      "link set eth0 addrgenmode none",
      `address add ${there}/64 dev eth0 nodad`,
      "link set eth0 up",
      "link set lo up",
    ]);
    await run([
      "nft",
      "table inet bench { chain input { type filter hook input priority 0; " +
      `tcp dport ${swallowing} drop; }; }`,
    ]);
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
  return machine;
}

/** Brings up the loopback interface of a fresh namespace. */
export async function raiseLoopback(): Promise<void> {
  await run(["ip", "link", "set", "lo", "up"]);
}

async function ipBatch(prefix: string[], lines: string[]): Promise<void> {
  await run([...prefix, "ip", "-batch", "-"], lines.join("\n") + "\n");
}

async function run(argv: string[], input = ""): Promise<void> {
  const [program, ...args] = argv;
  const child = new Deno.Command(program!, { args, stdin: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stderr } = await child.output();
  if (!success) throw new Error(`${argv.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}
