import assert from "node:assert/strict";
import { configDigest } from "../../lib/config/digest.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";

const digest = (text: string) => configDigest(parseConfig(text, "config.yaml"));

const BASE = `
peers: ["[2001:db8::f001]:31080", "192.0.2.12:31080"]
cluster:
  nodes: { lb0: ["2001:db8::f001"], lb1: ["192.0.2.12"] }
`;

Deno.test("configDigest() ignores spelling, and keys that may differ between machines", async () => {
  const expected = await digest(BASE);
  assert.match(expected, /^[0-9a-f]{16}$/);
  const same = [
    BASE.replace("[2001:db8::f001]:31080", "[2001:DB8:0::F001]:31080"),
    `# a comment\n${BASE}lookup: { timeout: 2000ms }\n`,
    `${BASE}webroot: /var/www\n`,
    `${BASE}public: { listen: ["[::]:8080"] }\nchallenge: { listen: ["192.0.2.12:31080"] }\n`,
    `${BASE}limits: { connections: 100 }\nmetrics: { listen: ["[::1]:9180"] }\n`,
    `${BASE}certificates: [/etc/haproxy/certs]\nhaproxy: { sockets: [/run/h.sock] }\n`,
    `${BASE}  interface: eth1\n  backends: ["[2001:db8::b001]:443"]\n`,
  ];
  for (const text of same) assert.equal(await digest(text), expected, text);
});

Deno.test("configDigest() differs for each key in which balancers must agree", async () => {
  const texts = [
    BASE,
    "",
    BASE.replace("f001]:31080", "f002]:31080"),
    BASE.replace("192.0.2.12:31080", "192.0.2.12:31081"),
    BASE.replace(', "192.0.2.12:31080"', ""),
    `${BASE}lookup: { timeout: 3s }\n`,
    `${BASE}redirect: { https_port: 8443 }\n`,
    `${BASE}redirect: { hosts: [service.example] }\n`,
    `${BASE}challenge: { allow: peers }\n`,
    `${BASE}  virtual_addresses: ["2001:db8::1"]\n`,
    `${BASE}  names: [service.example]\n`,
    BASE.replace("lb0: ", "lb9: "),
  ];
  const digests = await Promise.all(texts.map(digest));
  assert.equal(new Set(digests).size, texts.length, digests.join("\n"));
});
