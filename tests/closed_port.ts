/** Where nobody listens on this machine; no other test can be given it. */
export const CLOSED_PORT = 1;
