/**
 * What an end-to-end test needs from the machine, asked before the test is declared, so that a
 * missing program or missing rights show as a skipped test with its reason and never as a failure.
 */

/** What the namespaces need; each ACME client is asked for where it is used. */
export const NETWORK_PROGRAMS = ["ip", "nft", "sysctl", "curl", "setsid", "xargs"];

/** For `Deno.test({ ignore })`: true, with the reason printed, when something is missing. */
export function lacking(what: { root?: boolean; programs?: string[]; for: string }): boolean {
  const reasons = [];
  if (what.root && !mayCreateNamespaces()) {
    reasons.push(
      `needs ${Deno.uid() === 0 ? "the right to create" : "root for"} network namespaces`,
    );
  }
  const absent = (what.programs ?? []).filter((program) => !onPath(program));
  if (absent.length > 0) reasons.push(`not installed: ${absent.join(", ")}`);
  if (Deno.build.os !== "linux") reasons.push("needs Linux");
  if (reasons.length === 0) return false;
  // deno-lint-ignore no-console -- the reason belongs beside the test's "ignored" line
  console.error(`skipped: ${what.for}: ${reasons.join("; ")}`);
  return true;
}

/** Root in a container commonly may not. */
function mayCreateNamespaces(): boolean {
  if (Deno.uid() !== 0 || !onPath("unshare")) return false;
  const args = ["--net", "--mount", "true"];
  return new Deno.Command("unshare", { args, stdout: "null", stderr: "null" }).outputSync().success;
}

function onPath(program: string): boolean {
  return SEARCH_PATH.split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}

/** Administrators' programs are not always on a test run's own PATH. */
export const SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
