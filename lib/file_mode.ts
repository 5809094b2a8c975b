/** Permission bits of a file that holds a private key. */

/**
 * Octal digits (`0600`, `640`).
 * @throws {SyntaxError} when they are not, or would let others than owner and group at the key
 */
export function parseKeyFileMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new SyntaxError("expected three octal digits such as 0640");
  const mode = parseInt(text, 8);
  if ((mode & 0o007) !== 0) {
    throw new SyntaxError("the file holds a private key; others must have no rights to it");
  }
  if ((mode & 0o400) === 0) throw new SyntaxError("its owner could not read it");
  return mode;
}
