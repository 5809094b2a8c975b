/** Listeners that cannot be bound side by side, judged as the kernel judges them. */

import assert from "node:assert/strict";
import { mistakesIn } from "./mistakes_in.ts";

Deno.test("overlaps() names both listeners, at the line of the later one", () => {
  const dual = "; [::] takes every address, IPv4 too";
  const table: [string, string[]][] = [
    ['public: { listen: ["[::]:80", "0.0.0.0:80"] }', [
      `config.yaml:1:31: public.listen[1]: 0.0.0.0:80 overlaps public.listen[0], [::]:80${dual}`,
    ]],
    ['public:\n  listen: ["0.0.0.0:80"]\nmetrics:\n  listen:\n    - "[::]:80"', [
      `config.yaml:5:7: metrics.listen[0]: [::]:80 overlaps public.listen[0], 0.0.0.0:80${dual}`,
    ]],
    ['public: { listen: ["192.0.2.1:80", "192.0.2.1:80"] }', [
      "config.yaml:1:36: public.listen[1]: 192.0.2.1:80 overlaps public.listen[0], 192.0.2.1:80",
    ]],
    ['challenge: { listen: ["[2001:DB8::1]:80"] }\npublic: { listen: ["[2001:db8:0::1]:80"] }', [
      "config.yaml:1:23: challenge.listen[0]: [2001:db8::1]:80 overlaps public.listen[0], " +
      "[2001:db8::1]:80",
    ]],
    // The challenge port's default, which is not in the file.
    ['metrics: { listen: ["127.0.0.1:31080"] }', [
      "config.yaml:1:21: metrics.listen[0]: 127.0.0.1:31080 overlaps challenge.listen[0], " +
      `[::]:31080${dual}`,
    ]],
  ];
  for (const [text, expected] of table) assert.deepEqual(mistakesIn(text), expected, text);
});

/**
 * Whether the kernel binds the second address while the first is bound; with one of several ports,
 * because another test may have the one that the first was given.
 */
function binds(first: string, second: string): boolean {
  return [1, 2, 3].some(() => bindsOnce(first, second));
}

function bindsOnce(first: string, second: string): boolean {
  using one = Deno.listen({ hostname: first, port: 0 });
  try {
    Deno.listen({ hostname: second, port: one.addr.port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

Deno.test("overlaps() agrees with the kernel for every pair of loopback and wildcard addresses", () => {
  const hosts = ["::", "::1", "0.0.0.0", "127.0.0.1", "127.0.0.2"];
  const spelling = (host: string) => host.includes(":") ? `"[${host}]:80"` : `"${host}:80"`;
  for (const one of hosts) {
    for (const two of hosts) {
      const text = `public: { listen: [${spelling(one)}, ${spelling(two)}] }`;
      assert.deepEqual(mistakesIn(text).length === 0, binds(one, two), `${one} ${two}`);
    }
  }
});

Deno.test("overlaps() accepts listeners that differ in port or address, and port 0", () => {
  const table = [
    'public: { listen: ["[::]:80", "[::]:8080", "0.0.0.0:8081"] }',
    'public: { listen: ["[::]:0", "[::]:0", "0.0.0.0:0"] }',
    'public: { listen: ["[::1]:80", "[::2]:80", "127.0.0.1:80"] }',
    'public: { listen: ["0.0.0.0:80", "[2001:db8::1]:80"] }',
  ];
  for (const text of table) assert.deepEqual(mistakesIn(text), [], text);
});
