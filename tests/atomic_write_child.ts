/**
 * One atomicWrite under the lock, in a separate process: for tests that kill it, trace it, or
 * run twenty at once. Arguments: PATH TEXT [JSON options]. The temporary file always gets the
 * same name, so that strace can be told of it.
 */
import { atomicWrite } from "../lib/atomic_write.ts";
import { JobError } from "../lib/errors.ts";
import { lockTarget } from "../lib/file_lock.ts";

crypto.getRandomValues = <T>(array: T) => array;

const [path = "", text = "", options = "{}"] = Deno.args;
try {
  using lock = await lockTarget(path);
  await atomicWrite(path, text, { lock, ...JSON.parse(options) });
} catch (error) {
  if (!(error instanceof JobError)) throw error;
  await Deno.stderr.write(new TextEncoder().encode(error.message));
  Deno.exitCode = 1;
}
