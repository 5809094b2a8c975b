/** A file of another program, as acme-lb writes it: where it belongs on a balancer, and its text. */

/** Where install.sh puts the program, and rendered files call it. */
export const EXECUTABLE = "/usr/local/bin/acme-lb";

export interface RenderedFile {
  /** Absolute, as the balancer sees it. */
  path: string;
  text: string;
  /** Permission bits. @default 0o644 */
  mode?: number;
}
