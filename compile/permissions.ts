/**
 * The permissions of the executable, from `compile.permissions` in deno.json, as flags of
 * `deno run`.
 *
 * `deno compile` reads that section itself. The carrying form starts `deno run`, which reads no
 * configuration at all there, so the same rights have to stand on its command line. Whatever this
 * file cannot say as a flag is refused: a right that is lost or widened on the way would show late.
 */

/** What deno.json may say about one permission: all, none, these, or these apart from others. */
export type Grant = boolean | string[] | { allow?: boolean | string[]; deny?: boolean | string[] };

export type Permissions = Record<string, Grant>;

const NAMES = ["read", "write", "net", "env", "sys", "run", "ffi", "import"];

// The flags become words of a shell script and lists divided by commas.
const VALUE = /^[A-Za-z0-9_.:\/*@\[\]-]+$/;

/**
 * Flags such as `["--allow-net", "--allow-env=NO_COLOR", "--deny-import"]`, in a fixed order.
 * Throws RangeError for a permission or a value that has no safe form as a flag.
 */
export function permissionFlags(permissions: Permissions): string[] {
  for (const name of Object.keys(permissions)) {
    if (!NAMES.includes(name)) {
      throw new RangeError(`Cannot turn the permission "${name}" into a flag`);
    }
  }
  return NAMES.flatMap((name) => {
    const grant = permissions[name] ?? false;
    const { allow, deny, ...rest } = typeof grant === "object" && !Array.isArray(grant)
      ? grant
      : { allow: grant, deny: false };
    const unknown = Object.keys(rest)[0];
    if (unknown !== undefined) {
      throw new RangeError(`Cannot turn "${unknown}" of the permission "${name}" into a flag`);
    }
    return [...flag(`--allow-${name}`, allow), ...flag(`--deny-${name}`, deny)];
  });
}

function flag(name: string, scope: boolean | string[] = false): string[] {
  if (scope === false || (Array.isArray(scope) && scope.length === 0)) return [];
  if (scope === true) return [name];
  const bad = scope.find((value) => !VALUE.test(value));
  if (bad !== undefined) {
    throw new RangeError(`Cannot put the value ${JSON.stringify(bad)} into ${name}`);
  }
  return [`${name}=${scope.join(",")}`];
}
