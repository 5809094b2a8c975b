/**
 * `USER[:GROUP]` as chown(1) reads it, without starting a program.
 *
 * Names are looked up only in passwd(5) and group(5); users of LDAP and the like are given by
 * number.
 */

/** Numbers for chown; undefined leaves that half as it is. */
export interface Owner {
  uid: number | undefined;
  gid: number | undefined;
}

/** The texts of /etc/passwd and /etc/group. */
interface Accounts {
  passwd: string;
  group: string;
}

/**
 * `USER`, `USER:GROUP`, `USER:` (with that user's group) or `:GROUP`; names or numbers.
 * @throws {SyntaxError} naming the user or group that is unknown
 */
export function parseOwner(text: string, accounts: Accounts): Owner {
  const match = /^([A-Za-z0-9_][A-Za-z0-9_.-]*)?(?::([A-Za-z0-9_][A-Za-z0-9_.-]*)?)?$/.exec(text);
  const [, user, group] = match ?? [];
  if (!match || (user === undefined && group === undefined)) {
    throw new SyntaxError("expected USER, USER:GROUP or :GROUP");
  }
  const account = user === undefined ? undefined : find(accounts.passwd, user, "user");
  const login = text.endsWith(":") ? account?.fields[3] : undefined;
  if (text.endsWith(":") && login === undefined) {
    throw new SyntaxError(`user ${user} has no group in /etc/passwd`);
  }
  const gid = group === undefined ? login : find(accounts.group, group, "group").id;
  return { uid: account && Number(account.id), gid: gid === undefined ? undefined : Number(gid) };
}

/** The accounts of this machine. @throws what the system says */
export async function readAccounts(): Promise<Accounts> {
  const [passwd, group] = await Promise.all([
    Deno.readTextFile("/etc/passwd"),
    Deno.readTextFile("/etc/group"),
  ]);
  return { passwd, group };
}

/** A line of passwd or group by name, or by number, which need not have a line. */
function find(
  file: string,
  name: string,
  kind: "user" | "group",
): { id: string; fields: string[] } {
  const lines = file.split("\n").map((line) => line.split(":"));
  const number = /^\d{1,10}$/.test(name);
  const fields = lines.find((line) => line.length > 3 && line[number ? 2 : 0] === name);
  const id = number ? name : fields?.[2];
  if (id === undefined || !/^\d{1,10}$/.test(id) || Number(id) >= 2 ** 32 - 1) {
    const where = kind === "user" ? "/etc/passwd" : "/etc/group";
    throw new SyntaxError(
      `there is no ${kind} ${name} in ${where}; give a ${kind} of LDAP or the like as a number`,
    );
  }
  return { id, fields: fields ?? [] };
}
