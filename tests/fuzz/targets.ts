/**
 * The parsers of input from strangers, files and other programs, each with a property that must
 * hold for everything that it
 * is given. A target returns for an input that is as it should be and throws for a violation.
 */

import assert from "node:assert/strict";
import { encodePem, parsePem, scanPem } from "../../lib/cert/pem.ts";
import { childrenOf, type Element, readDer } from "../../lib/cert/der.ts";
import { readCertificate } from "../../lib/cert/certificate.ts";
import { isPrivateKey, readPrivateKey } from "../../lib/cert/private_key.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { ConfigError } from "../../lib/errors.ts";
import { readContents } from "../../lib/expiry/read_certificates.ts";
import {
  parseAbort,
  parseAdd,
  parseCommit,
  parseCrtList,
  parseCrtLists,
  parseDelete,
  parseInventory,
  parseNew,
  parseProcesses,
  parseReload,
  parseSet,
  parseShown,
} from "../../lib/haproxy/replies.ts";
import { peerAnswerOf } from "../../lib/http/peer_answer.ts";
import { parsePreamble } from "../../lib/http/proxy_protocol.ts";
import { HeadReader, MAX_HEAD_BYTES, MAX_TARGET_BYTES } from "../../lib/http/request_head.ts";
import { MAX_BODY_BYTES, ResponseReader } from "../../lib/http/response_reader.ts";
import { readTokenFile } from "../../lib/http/token_file.ts";
import { issue, issueChain } from "../cert/issue.ts";
import { parseRequestHead } from "../http/whole_head.ts";
import type { RandomNumbers } from "../random_numbers.ts";

export interface Target {
  /** @param random for what the target itself chooses, such as where bytes are cut */
  run(input: Uint8Array, random: RandomNumbers): void | Promise<void>;
  /** Beside the corpus: what cannot be kept in files because it is made anew, such as keys. */
  seeds?(): Promise<Uint8Array[]>;
  /** What mutation puts in, beside bytes by chance. */
  words: string[];
}

const TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const KEY_AUTHORIZATION = new RegExp(`^${TOKEN}[.][A-Za-z0-9_-]{43}(?:\r?\n)?$`);
const NAME = "/etc/haproxy/certs/service.example.pem";
const encode = (text: string) => new TextEncoder().encode(text);
const latin1 = (bytes: Uint8Array) => Array.from(bytes, (b) => String.fromCharCode(b)).join("");

/** The bytes in pieces, as a network may deliver them. */
function* cut(bytes: Uint8Array, random: RandomNumbers): Generator<number> {
  for (let end = 0; end < bytes.length;) {
    end = Math.min(bytes.length, end + 1 + random(random(4) === 0 ? 400 : 7));
    yield end;
  }
}

/** What the action returns; undefined when it throws one of the errors that it may. */
function unless<T>(allowed: new (...args: never[]) => Error, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof allowed && error.message !== "") return undefined;
    throw error;
  }
}

function head(input: Uint8Array, random: RandomNumbers): void {
  const whole = parseRequestHead(input);
  const reader = new HeadReader();
  // What has not arrived is not in the buffer either.
  const buffer = new Uint8Array(input.length + 1);
  let inPieces = reader.read(buffer, 0, 0);
  for (const end of cut(input, random)) {
    buffer.set(input.subarray(0, end));
    inPieces = reader.read(buffer, 0, end);
    if (inPieces.kind !== "incomplete") break;
  }
  assert.deepEqual(inPieces, whole, "the same however it is cut");
  if (whole.kind === "incomplete") assert.ok(input.length < MAX_HEAD_BYTES);
  if (whole.kind !== "head") return;
  assert.ok(whole.length <= Math.min(input.length, MAX_HEAD_BYTES));
  assert.ok(whole.target.length <= MAX_TARGET_BYTES);
  // deno-lint-ignore no-control-regex -- controls are what must not be there
  assert.doesNotMatch(whole.target, /[\x00-\x20\x7f]/);
  assert.match(latin1(input.subarray(0, whole.length)), /\r\n\r\n$/);
}

function peerReply(input: Uint8Array, random: RandomNumbers): void {
  const read = (ends: Iterable<number>) => {
    const reader = new ResponseReader({ chunked: false });
    let start = 0;
    for (const end of ends) {
      const result = reader.push(input.subarray(start, end));
      if (result) return result;
      start = end;
    }
    return reader.end();
  };
  const result = read(input.length > 0 ? [input.length] : []);
  assert.deepEqual(read(cut(input, random)), result, "the same however it is cut");
  const reply = "fault" in result
    ? { ...result, connected: true, ms: 1 }
    : { ...result, sent: 0, received: 1, ms: 1 };
  const answer = peerAnswerOf(reply, TOKEN);
  if (answer.outcome !== "found") return;
  assert.match(answer.body!, KEY_AUTHORIZATION, "a key authorization of the token, or nothing");
  assert.ok(answer.body!.length <= MAX_BODY_BYTES && latin1(input).includes(answer.body!));
  assert.match(latin1(input), /^HTTP\/1\.\d 200/);
}

let webroot: Promise<string> | undefined;

async function makeWebroot(): Promise<string> {
  const directory = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  return directory;
}

async function tokenFile(input: Uint8Array): Promise<void> {
  const directory = await (webroot ??= makeWebroot());
  await Deno.writeFile(`${directory}/${TOKEN}`, input);
  const found = await readTokenFile(directory, TOKEN);
  if (found.kind !== "found") return;
  assert.equal(found.body, latin1(input));
  assert.match(found.body, /^[\x20-\x7e]{1,1024}(?:\r?\n)?$/);
}

function pem(input: Uint8Array): void {
  const { blocks, faults } = scanPem(input);
  for (const { line } of [...blocks, ...faults]) {
    assert.ok(line >= 1 && line <= latin1(input).split(/\r\n|\r|\n/).length, `line ${line}`);
  }
  const strict = unless(SyntaxError, () => parsePem(input));
  for (const { label, der } of strict ?? []) {
    const [again] = parsePem(encode(encodePem(label, der)));
    assert.deepEqual(again!.der, der, "written again it is the same");
  }
  const contents = unless(SyntaxError, () => readContents(input));
  for (const one of contents?.damage ?? []) assert.match(one, /^(?:line \d+: )?\S/);
}

function der(input: Uint8Array): void {
  const walk = (element: Element, depth: number) => {
    if (depth > 50) return;
    for (const child of unless(SyntaxError, () => childrenOf(element)) ?? []) {
      walk(child, depth + 1);
    }
  };
  const element = unless(SyntaxError, () => readDer(input));
  if (element) walk(element, 0);
  const certificate = unless(SyntaxError, () => readCertificate(input));
  if (certificate) assert.match(certificate.serial, /^[0-9a-f]+$/i);
}

async function key(input: Uint8Array): Promise<void> {
  for (const block of unless(SyntaxError, () => parsePem(input)) ?? []) {
    if (!isPrivateKey(block)) continue;
    try {
      const { spki } = await readPrivateKey(block);
      assert.equal(readDer(spki).tag, 0x30);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const text = latin1(input).match(/[A-Za-z0-9+/]{20,}/g) ?? [];
      for (const secret of text) assert.ok(!error.message.includes(secret), "shows the key");
    }
  }
}

function runtimeReply(input: Uint8Array): void {
  const text = new TextDecoder().decode(input);
  for (const parse of [parseSet, parseCommit, parseAbort, parseNew, parseAdd, parseDelete]) {
    parse(text, NAME);
  }
  parseReload(text);
  parseCrtList(text);
  for (const name of parseInventory(text)?.names ?? []) assert.doesNotMatch(name, /\n/);
  const shown = parseShown(text, NAME);
  if (shown) assert.ok(text.trimStart().startsWith(`Filename: ${NAME}\n`));
  parseCrtLists(text);
  parseProcesses(text);
}

function yaml(input: Uint8Array): void {
  const text = new TextDecoder().decode(input);
  try {
    parseConfig(text, "config.yaml");
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const line of error.lines) {
      assert.match(line, /^config\.yaml:(?:\d+:\d+:)? \S/, "names the place");
    }
  }
}

function preamble(input: Uint8Array): void {
  const result = parsePreamble(input);
  if (result.kind === "preamble") assert.ok(result.length <= input.length);
  for (let end = 0; end < Math.min(input.length, 120); end++) {
    const before = parsePreamble(input.subarray(0, end));
    if (before.kind !== "incomplete" && end > 0) {
      assert.equal(before.kind, result.kind, "what is known of a beginning stays");
    }
  }
}

async function certificates(): Promise<Uint8Array[]> {
  const { leaf, lower, upper } = await issueChain({ names: ["a.example", "*.b.example"] });
  return [leaf.certificate.der, lower.certificate.der, upper.certificate.der];
}

async function pemFiles(): Promise<Uint8Array[]> {
  const { leaf, lower } = await issueChain();
  const single = await issue();
  return [leaf.key.pem + leaf.pem + lower.pem, single.pem, single.key.pem].map(encode);
}

const PEM_WORDS = ["-----BEGIN ", "-----END ", "-----", "CERTIFICATE", "PRIVATE KEY", "EC ", "\r\n"]
  .concat("TRUSTED ", "ENCRYPTED ", "DH PARAMETERS", "\n\n", "Proc-Type: 4,ENCRYPTED\n", "=", "\0");

export const TARGETS: Record<string, Target> = {
  head: {
    run: head,
    words: ["\r\n", "\n", "\r", ": ", "Host: a\r\n", "Content-Length: 5\r\n", " HTTP/1.1", "\t"]
      .concat("Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n", "\r\n\r\n", "%00", "//")
      .concat("Connection: close\r\n", "\0", "x".repeat(9_000), "A: b\r\n".repeat(120)),
  },
  peer_reply: {
    run: peerReply,
    words: [
      "HTTP/1.1 ",
      "200",
      "404",
      "\r\n",
      "\n",
      "Content-Length: ",
      "87",
      "\r\n\r\n",
      `${TOKEN}.`,
    ]
      .concat("Transfer-Encoding: chunked", "Acme-Lb-Unreadable: 1", "x".repeat(5_000), "\0"),
  },
  token_file: { run: tokenFile, words: [TOKEN, ".", "\n", "\r\n", "\0", "x".repeat(1_020)] },
  pem: { run: pem, seeds: pemFiles, words: PEM_WORDS },
  der: { run: der, seeds: certificates, words: ["\x30\x82", "\x30\x80", "\x02\x01", "\xff\xff"] },
  key: { run: key, seeds: pemFiles, words: PEM_WORDS },
  runtime_reply: {
    run: runtimeReply,
    words: [
      "# filename\n",
      "# transaction\n",
      "*",
      NAME,
      "Filename: ",
      "Success!",
      "\n",
      "Serial: ",
    ]
      .concat("Transaction created", "aborted", "Can't", "# programs", "# old workers", "\0"),
  },
  yaml: {
    run: yaml,
    words: ["peers:", "  - ", '"', "'", "[", "]", "{", "}", "&a ", "*a", "<<: ", "!!", "|", "\t"]
      .concat("webroot", "\n", ": ", "cluster:\n", "%YAML 1.1\n", "---\n", "#", "1e999", "0x", "~"),
  },
  preamble: {
    run: preamble,
    words: ["PROXY ", "TCP4 ", "TCP6 ", "UNKNOWN", "\r\n", "192.0.2.1 ", "2001:db8::1 ", "65535"]
      .concat("\r\n\r\n\0\r\nQUIT\n", "\x21\x11\0\x0c", "\x20\0\0\0"),
  },
};
