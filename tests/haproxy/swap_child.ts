/**
 * One whole installation in a process of its own, as a hook runs it: lock, write, swap.
 * Arguments: TARGET NEW_PEM_FILE SERIAL SOCKET...
 */
import { lockTarget } from "../../lib/file_lock.ts";
import { installPem } from "../../lib/haproxy/install_pem.ts";

const [path = "", source = "", serial = "", ...sockets] = Deno.args;
using lock = await lockTarget(path);
const previous = await Deno.readFile(path);
const previousPem = new TextDecoder().decode(previous);
const { swap } = await installPem({
  path,
  pem: await Deno.readFile(source),
  lock,
  previous,
  haproxy: { sockets, name: path, serial, previousPem },
});
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(swap)));
