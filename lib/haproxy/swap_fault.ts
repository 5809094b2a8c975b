/** Why one HAProxy did not take a certificate. Never leaves lib/haproxy. */

/** The words for it, the same in results, logs and documentation. */
export type FaultKind =
  /** Nobody listens at the socket. */
  | "down"
  /** The socket's permissions, or its level, do not allow it. */
  | "denied"
  /** No complete answer within the deadline. */
  | "timeout"
  /** The connection was closed without an answer. */
  | "silent"
  /** The connection failed, or the answer was endless. */
  | "broken"
  /** HAProxy said no, or something that is not known to mean yes. */
  | "refused"
  /** The certificate is longer than its command buffer. */
  | "too_large"
  /** HAProxy has no certificate of that name in use. */
  | "unknown_name"
  /** Other clients kept working on certificates all the time. */
  | "busy"
  /** It said yes, but shows another certificate. */
  | "not_served"
  /** Its master could not load the configuration again. */
  | "reload_failed";

/** A fault with its kind; the message is for the operator, without the name of the socket. */
export class SwapFault extends Error {
  override name = "SwapFault";
  constructor(readonly kind: FaultKind, message: string) {
    super(message);
  }
}
