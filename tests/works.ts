/**
 * Whether a program is there, may be run and succeeds, for tests that are skipped without it. A
 * program that cannot be started throws before there is a promise whose rejection one could catch.
 */
export async function works(program: string, options: Deno.CommandOptions = {}): Promise<boolean> {
  try {
    const command = new Deno.Command(program, { stdout: "null", stderr: "null", ...options });
    return (await command.output()).success;
  } catch {
    return false;
  }
}
