/**
 * A reload through the master socket: what is left when a certificate cannot be swapped.
 *
 * The worker keeps serving when the new configuration does not load, so a failed reload costs
 * nothing yet; the next restart would. From 2.7 the master answers when it is done. Before that
 * it just hangs up, so the number of reloads in `show proc` is watched.
 */
import type { Haproxy } from "./process.ts";
import { judgeReload, parseProcesses, type Processes, quoteReply } from "./replies.ts";
import { SwapFault } from "./swap_fault.ts";

/** Loading thousands of certificates takes HAProxy seconds. */
const RELOAD_MS = 60_000;

const POLL_MS = 100;

/**
 * Reloads the configuration and waits until that is done.
 * @param haproxy one behind a master socket
 * @throws {SwapFault} `reload_failed` when the configuration does not load
 */
export async function reloadHaproxy(
  haproxy: Haproxy,
  options: { reloadMs?: number } = {},
): Promise<void> {
  const { reloadMs = RELOAD_MS } = options;
  const until = performance.now() + reloadMs;
  const before = await processes(haproxy);
  if (!before || !haproxy.askMaster) throw new SwapFault("refused", "it is no master socket");
  const answer = await haproxy.askMaster("reload", { deadlineMs: reloadMs });
  if (answer.kind === "reply") {
    const verdict = judgeReload(answer.text);
    if (verdict === "done") return;
    if (verdict === "failed") throw failed(haproxy);
    throw new SwapFault("refused", `to reload it said: ${quoteReply(answer.text)}`);
  }
  if (answer.kind !== "silent") throw new SwapFault(answer.kind, `reload: ${answer.detail}`);
  while (performance.now() < until) {
    const now = await processes(haproxy);
    if (now && now.reloads > before.reloads) {
      if (now.failed) throw failed(haproxy);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new SwapFault("timeout", `it did not finish its reload within ${reloadMs / 1000} s`);
}

/** Undefined while the master is being replaced: nobody listens for a moment then. */
async function processes(haproxy: Haproxy): Promise<Processes | undefined> {
  const answer = await haproxy.askMaster?.("show proc");
  return answer?.kind === "reply" ? parseProcesses(answer.text) : undefined;
}

function failed(haproxy: Haproxy): SwapFault {
  return new SwapFault(
    "reload_failed",
    `it cannot load its configuration and goes on with the old one; ` +
      `its log says why, and so does: haproxy -c -f FILE (master socket ${haproxy.socket})`,
  );
}
