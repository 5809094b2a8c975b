/**
 * Reports the start and each reload of a server to systemd and its operator, so that `systemctl
 * start`, `restart` and `reload` fail when it does not serve afterwards.
 *
 * A start: the protocol of sd_notify(3), a datagram to the socket that NOTIFY_SOCKET names. A reload:
 * the file of running_state.ts, for `check-config --running`; Type=notify-reload is not in every
 * systemd that is in use.
 */

import { messageOf } from "./errors.ts";
import { type Log, printable } from "./log.ts";
import { openRunningState } from "./running_state.ts";
import { errnoOf, systemReason } from "./system_reason.ts";

interface Supervisor {
  /** The digest of the configuration that is being put to use. */
  loading(config: string): void;
  /** How that ended: with nothing, or with the reasons why the old one stays in use. */
  loaded(faults: string[]): Promise<void>;
  /**
   * Why the start failed, for `systemctl status`: while systemd 252 waits for the next attempt, that
   * shows no line of the last one's log.
   */
  failed(error: unknown): Promise<void>;
}

/** To be opened before the first load. The right to write is given up at the end of that one. */
export async function openSupervisor(log: Log): Promise<Supervisor> {
  const unreported = (error: unknown) =>
    log.warn("warning", {
      reason: `check-config --running cannot see this server: ${systemReason(error)}`,
    });
  const state = await openRunningState().catch(unreported);
  let config = "";
  let ready = false;
  return {
    loading: (digest) => void (config = digest),
    async loaded(faults) {
      await state?.write(faults.length > 0 ? { faults } : { config }).catch(unreported);
      if (ready) return;
      ready = true;
      const reason = await notify("READY=1");
      if (reason !== undefined) log.warn("notify_failed", { reason });
      // Other commands of this executable write files; the server on port 80 must not.
      await Deno.permissions.revoke({ name: "write" });
    },
    async failed(error) {
      // On one line: systemd takes each line of a message for an assignment of its own.
      await notify(`STATUS=${printable(messageOf(error))}`);
    },
  };
}

/** Undefined when it is done or systemd did not ask for it, else why it cannot be. */
async function notify(message: string): Promise<string | undefined> {
  const path = Deno.env.get("NOTIFY_SOCKET") ?? "";
  if (path === "") return undefined;
  // An abstract one, "@...", cannot be reached from here; systemd's own has a path.
  if (!path.startsWith("/")) return `NOTIFY_SOCKET is no path: ${path}`;
  // The runtime requires a name for its own end, which is removed at once.
  const folder = Deno.env.get("RUNTIME_DIRECTORY")?.split(":")[0] ?? "/tmp";
  const own = `${folder}/notify-${crypto.randomUUID()}`;
  try {
    const socket = Deno.listenDatagram({ transport: "unixpacket", path: own });
    try {
      await Deno.remove(own);
      await socket.send(new TextEncoder().encode(message), { transport: "unixpacket", path });
    } finally {
      socket.close();
    }
    return undefined;
  } catch (error) {
    const reason = errnoOf(error) === "ENOENT" ? "there is no such socket" : systemReason(error);
    return `${path}: ${reason}`;
  }
}
