/**
 * What Linux says of a process and its descendants: processor time, resident memory, descriptors.
 *
 * A server may be several processes (nginx's master and worker, a launcher and its runtime), so
 * every figure is the sum over the tree.
 */

/** Clock ticks a second in /proc/PID/stat: USER_HZ, 100 on every architecture Linux supports here. */
const TICKS = 100;

/** User and system time used so far, in seconds, to a hundredth. */
export async function processorTime(root: number): Promise<number> {
  let ticks = 0;
  for (const pid of await processTree(root)) {
    const stat = await read(`/proc/${pid}/stat`);
    // The name in brackets may hold spaces; utime and stime are fields 14 and 15, the name is 2.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks / TICKS;
}

/** User and system time of the children that `pid` has waited for, and of theirs, in seconds. */
export async function endedChildrenTime(pid: number): Promise<number> {
  const stat = await read(`/proc/${pid}/stat`);
  // cutime and cstime are fields 16 and 17.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) / TICKS;
}

/** VmRSS in megabytes (10⁶ bytes). */
export async function residentMemory(root: number): Promise<number> {
  let kibibytes = 0;
  for (const pid of await processTree(root)) {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(await read(`/proc/${pid}/status`));
    kibibytes += Number(match?.[1] ?? 0);
  }
  return kibibytes * 1024 / 1e6;
}

/** Open descriptors. */
export async function descriptors(root: number): Promise<number> {
  let count = 0;
  for (const pid of await processTree(root)) {
    try {
      for await (const _ of Deno.readDir(`/proc/${pid}/fd`)) count++;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return count;
}

/** The hard limit on descriptors of this process, which those that it starts inherit. */
export async function descriptorLimit(): Promise<number> {
  const limits = await read("/proc/self/limits");
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  return hard === undefined || hard === "unlimited" ? Infinity : Number(hard);
}

async function processTree(root: number): Promise<number[]> {
  const found = [root];
  for (const pid of found) {
    const children = await read(`/proc/${pid}/task/${pid}/children`);
    found.push(...children.split(" ").filter(Boolean).map(Number));
  }
  return found;
}

async function read(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
