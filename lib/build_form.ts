/**
 * How the running program was built, for `--version`, so that a bug report says which form of the
 * executable and which runtime it is about.
 */

/** `source` is `deno run main.ts`; the other two are the forms that compile.ts makes. */
type BuildForm = "compiled" | "carrying" | "source";

/** The form of this process. Needs no permission. */
function buildForm(): BuildForm {
  if (Deno.build.standalone) return "compiled";
  // The carrying form runs the bundle, where every module's URL is that of acme-lb.js.
  return import.meta.url.endsWith(".ts") ? "source" : "carrying";
}

/** Form, runtime and target in one line, such as `carrying form, Deno 2.9.6, x86_64-unknown-linux-gnu`. */
export function describeBuild(): string {
  return `${buildForm()} form, Deno ${Deno.version.deno}, ${Deno.build.target}`;
}

/**
 * The path of the executable that was called; undefined for `deno run main.ts`. In the carrying
 * form the start script passes it on, because the process itself is the unpacked runtime.
 */
export function ownExecutable(): string | undefined {
  return buildForm() === "compiled" ? Deno.execPath() : Deno.env.get("ACME_LB_SELF");
}
