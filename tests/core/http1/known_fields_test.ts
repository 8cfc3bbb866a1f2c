import * as known from "../../../core/http1/known_fields.ts";
import { encodeLatin1 } from "../../../core/http1/text.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

const { KNOWN_NAMES, knownField, knownMask, knownName } = known;

Deno.test("knownField() finds every name in any case", () => {
  for (const [id, name] of KNOWN_NAMES.entries()) {
    if (id === known.UNKNOWN) continue;
    for (const spelling of [name, name.toUpperCase()]) {
      const bytes = encodeLatin1(`##${spelling}##`);
      assertEquals(knownField(bytes, 2, 2 + name.length), id, spelling);
    }
    assertEquals(knownName(name), id);
  }
});

Deno.test("knownField() finds nothing else", () => {
  for (const name of KNOWN_NAMES.slice(1)) {
    const others = [
      `${name}x`,
      `x${name}`,
      name.slice(1),
      name.slice(0, -1),
      name.replace(/.$/, "!"),
      name.replace(/^./, "!"),
    ].filter((other) => other !== "" && !KNOWN_NAMES.includes(other));
    for (const other of others) {
      const bytes = encodeLatin1(other);
      assertEquals(knownField(bytes, 0, bytes.length), known.UNKNOWN, other);
    }
  }
  const long = encodeLatin1("x".repeat(200));
  assertEquals(knownField(long, 0, long.length), known.UNKNOWN);
});

Deno.test("knownField() tells names that differ in signs alone, in any place", () => {
  for (const name of KNOWN_NAMES.slice(1)) {
    for (let at = name.indexOf("-"); at >= 0; at = name.indexOf("-", at + 1)) {
      for (const sign of "_.~!") {
        const other = name.slice(0, at) + sign + name.slice(at + 1);
        for (const spelling of [other, other.toUpperCase()]) {
          const bytes = encodeLatin1(spelling);
          const found = knownField(bytes, 0, bytes.length);
          assertEquals(found, known.LOOKALIKE, spelling);
        }
      }
      const letter = encodeLatin1(name.slice(0, at) + "z" + name.slice(at + 1));
      assertEquals(knownField(letter, 0, letter.length), known.UNKNOWN);
    }
  }
});

Deno.test("the numbers of fields belong to their names", () => {
  const numbers: readonly (readonly [number, string])[] = [
    [known.CONTENT_LENGTH, "content-length"],
    [known.TRANSFER_ENCODING, "transfer-encoding"],
    [known.CONNECTION, "connection"],
    [known.UPGRADE, "upgrade"],
    [known.KEEP_ALIVE, "keep-alive"],
    [known.EXPECT, "expect"],
    [known.HOST, "host"],
    [known.AUTHORIZATION, "authorization"],
    [known.X_HEADRACE_EXPLAIN, "x-headrace-explain"],
    [known.X_HEADRACE_TOKEN, "x-headrace-token"],
  ];
  for (const [id, name] of numbers) assertEquals(KNOWN_NAMES[id], name);
});

Deno.test("knownMask() has a bit for each name of its own", () => {
  const masks = KNOWN_NAMES.slice(1).map((name) => knownMask([name]));
  const bits = new Set(masks.map(({ low, high }) => `${low},${high}`));
  assertEquals(bits.size, masks.length);
  assertEquals(knownMask(["content-length", "x-headrace-token"]), {
    low: 1 << known.CONTENT_LENGTH,
    high: 1 << (known.X_HEADRACE_TOKEN - 32),
  });
});

Deno.test("knownMask() refuses a name without a number", () => {
  assertThrows(
    () => knownMask(["host", "x-nobody"]),
    RangeError,
    "No field has a number: x-nobody",
  );
});

Deno.test("the fields of one connection come first", () => {
  const first = KNOWN_NAMES.slice(1, known.LAST_HOP_BY_HOP + 1).toSorted();
  assertEquals(first, [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
  ]);
});
