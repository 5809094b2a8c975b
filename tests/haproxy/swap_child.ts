/**
 * A complete installation in a separate process, as a hook runs it: lock, write, swap.
 * Arguments: TARGET NEW_PEM_FILE SERIAL SOCKET...
 */
import { lockTarget } from "../../lib/file_lock.ts";
import { installPem } from "../../lib/haproxy/install_pem.ts";
import { contentOf } from "./leaf_fingerprint.ts";

const [path = "", source = "", serial = "", ...sockets] = Deno.args;
using lock = await lockTarget(path);
const previous = await Deno.readFile(path);
const pem = await Deno.readFile(source);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const { swap } = await installPem({
  path,
  pem,
  lock,
  previous,
  haproxy: {
    ...{ sockets, name: path },
    content: await contentOf(text(pem), serial),
    previous: await contentOf(text(previous)),
  },
});
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(swap)));
