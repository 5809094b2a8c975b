/** A file of another program, as acme-lb writes it: where it belongs on a balancer, and its text. */

export interface RenderedFile {
  /** Absolute, as the balancer sees it. */
  path: string;
  text: string;
  /** Permission bits. @default 0o644 */
  mode?: number;
}
