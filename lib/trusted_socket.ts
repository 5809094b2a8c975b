/**
 * Whether a private key may be sent to a socket: while HAProxy is down, anybody who may write to the
 * socket's directory can listen in its place, and over a network everybody on the way can read it.
 */

import { isLoopback, parseSocketAddress } from "./address.ts";
import { messageOf } from "./errors.ts";
import { countFixed, type Directory, isOwn, UntrustedLinkError, walk } from "./trusted_path.ts";
import { isSocketPath } from "./runtime_address.ts";

/**
 * Why no secret should be sent to the socket; undefined when only root, the caller or the owner of
 * its directory can have put it there, or when there is none.
 * @throws what the system says about the path
 */
export async function socketFault(path: string): Promise<string | undefined> {
  try {
    const { directories, info } = await walk(path);
    const directory = directories.at(-1)!;
    if (!info) return undefined;
    const mayOwn = (uid: number | null) => isOwn(uid) || uid === directory.uid;
    // From the first directory on whose entries can be exchanged at all.
    const open = directories.slice(Math.max(0, countFixed(directories) - 1), -1);
    const stranger = open.find((one) => !mayOwn(one.uid) || isShared(one));
    if (stranger) {
      return `others than root and the owner of ${directory.path} can exchange what is in ` +
        stranger.path;
    }
    const put = (directory.mode & 0o022) === 0 || mayOwn(info.uid);
    return put ? undefined : `user ${info.uid} has put it there, who does not own its directory`;
  } catch (error) {
    if (error instanceof UntrustedLinkError) return messageOf(error);
    throw error;
  }
}

/** Whether users other than its owner can rename or remove files of any owner in it. */
function isShared({ mode }: Directory): boolean {
  return (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
}

/**
 * A warning about a runtime API given as HOST:PORT; undefined on loopback, where nobody can read
 * the traffic, and for the path of a socket.
 */
export function networkWarning(socket: string): string | undefined {
  if (isSocketPath(socket) || isOnLoopback(socket)) return undefined;
  return `${socket}: the private key crosses the network unencrypted; use a UNIX socket, or ` +
    "loopback with a tunnel";
}

function isOnLoopback(socket: string): boolean {
  const host = socket.replace(/:\d+$/, "");
  if (host === "localhost") return true;
  try {
    return isLoopback(parseSocketAddress(socket).hostname);
  } catch {
    return false;
  }
}
