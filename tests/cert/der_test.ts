import assert from "node:assert/strict";
import fc from "fast-check";
import {
  childrenOf,
  readBitString,
  readBoolean,
  readDer,
  readInteger,
  readOid,
  readTime,
} from "../../lib/cert/der.ts";
import { writeDer, writeInteger, writeOid, writeTime } from "../../lib/cert/der_writer.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

Deno.test("readDer refuses when the bytes are not exactly one minimal element", () => {
  const table: [string, RegExp][] = [
    ["", /cut short/],
    ["30", /cut short/],
    ["30 01", /cut short/],
    ["30 00 00", /1 bytes follow/],
    ["30 80 00 00", /unusable form/],
    ["30 81 7f" + "00".repeat(0x7f), /shortest form/],
    ["30 82 00 80" + "00".repeat(0x80), /shortest form/],
    ["30 84 00 00 00 01 00", /unusable form/],
    ["30 ff", /unusable form/],
    ["1f 81 00 00", /more than one byte/],
    ["30 82 01", /shortest form|cut short/],
  ];
  for (const [text, reason] of table) {
    assert.throws(() => readDer(hex(text)), { name: "SyntaxError", message: reason }, text);
  }
});

Deno.test("readDer reads back what writeDer wrote, at every length around a boundary", () => {
  for (const length of [0, 1, 127, 128, 255, 256, 65535, 65536]) {
    const content = new Uint8Array(length).fill(7);
    const element = readDer(writeDer(0x04, content));
    assert.equal(element.tag, 4);
    assert.deepEqual(element.content, content);
  }
});

Deno.test("readInteger refuses when an integer is empty or longer than needed", () => {
  for (const bad of ["02 00", "02 02 00 7f", "02 02 ff 80", "02 03 00 00 01"]) {
    assert.throws(() => readInteger(readDer(hex(bad)), "n"), SyntaxError, bad);
  }
  for (const [good, digits] of [["02 01 00", "00"], ["02 02 00 80", "80"], ["02 01 7f", "7f"]]) {
    assert.equal(readInteger(readDer(hex(good!)), "n").magnitude.toHex(), digits);
  }
  assert.equal(readInteger(readDer(hex("02 01 80")), "n").negative, true);
});

Deno.test("readInteger gives back the digits that writeInteger was given", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
    const { magnitude, negative } = readInteger(readDer(writeInteger(bytes)), "n");
    const stripped = bytes.toHex().replace(/^(00)+(?=..)/, "");
    assert.equal(negative, false);
    assert.equal(magnitude.toHex(), stripped);
  }));
});

Deno.test("readOid gives back the arcs that writeOid was given", () => {
  const arc = fc.integer({ min: 0, max: 2 ** 31 });
  fc.assert(fc.property(fc.integer({ min: 0, max: 39 }), fc.array(arc), (second, rest) => {
    const dotted = [2, second, ...rest].join(".");
    assert.equal(readOid(readDer(writeOid(dotted)), "oid"), dotted);
  }));
  for (const known of ["0.9.2342.19200300.100.1.25", "1.2.840.113549.1.1.11", "2.999.3"]) {
    assert.equal(readOid(readDer(writeOid(known)), "oid"), known);
  }
});

Deno.test("readOid refuses when an arc is padded or cut short", () => {
  for (const bad of ["06 00", "06 02 80 01", "06 01 80", "06 03 2a 86 80"]) {
    assert.throws(() => readOid(readDer(hex(bad)), "oid"), SyntaxError, bad);
  }
});

Deno.test("readBoolean and readBitString refuse what DER does not allow", () => {
  for (const bad of ["01 01 01", "01 00", "01 02 ff ff"]) {
    assert.throws(() => readBoolean(readDer(hex(bad)), "flag"), SyntaxError, bad);
  }
  for (const bad of ["03 00", "03 02 01 80", "03 01 08"]) {
    assert.throws(() => readBitString(readDer(hex(bad)), "bits"), SyntaxError, bad);
  }
});

Deno.test("readTime gives back the second that writeTime was given, in any century", () => {
  const seconds = fc.integer({ min: Date.UTC(1950, 0) / 1000, max: Date.UTC(9999, 11, 31) / 1000 });
  fc.assert(fc.property(seconds, (second) => {
    const time = new Date(second * 1000);
    assert.deepEqual(readTime(readDer(writeTime(time)), "time"), time);
  }));
});

Deno.test("readTime refuses when a time is local, fractional, short or on no calendar", () => {
  const table: [number, string][] = [
    [0x17, "2611231200Z"],
    [0x17, "261123120000"],
    [0x17, "261123120000+0100"],
    [0x17, "260230120000Z"],
    [0x17, "261123240000Z"],
    [0x17, "261123126000Z"],
    [0x17, "20261123120000Z"],
    [0x18, "261123120000Z"],
    [0x18, "20261123120000.5Z"],
    [0x18, "20261131120000Z"],
    [0x18, "20261123120000Z\0"],
    [0x0c, "20261123120000Z"],
  ];
  for (const [tag, text] of table) {
    const element = readDer(writeDer(tag, new TextEncoder().encode(text)));
    assert.throws(() => readTime(element, "time"), SyntaxError, text);
  }
});

Deno.test("childrenOf never throws anything but SyntaxError when bytes are arbitrary", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        childrenOf(readDer(writeDer(0x30, bytes)));
      } catch (error) {
        assert.equal((error as Error).name, "SyntaxError");
      }
    }),
    { numRuns: 2000 },
  );
});
