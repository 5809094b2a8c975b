/** What must not reach a terminal, the reader of a log or a page, unless it ends a line. */
export const UNSAFE = /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/u;

/** Characters of each kind, for generators. */
export const UNSAFE_CHARACTERS = [
  ...["\0", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\ud800", "\udfff"],
  ...["\u00ad", "\u061c", "\u200b", "\u200d", "\u202e", "\u2069", "\ufeff", "\ufff9", "\u{e0041}"],
  ...["\u180e", "\u206a", "\u{1d173}"],
  ...["\u034f", "\u115f", "\u180b", "\u2065", "\u3164", "\ufe0f", "\uffa0", "\ufff0", "\u{e0100}"],
];
