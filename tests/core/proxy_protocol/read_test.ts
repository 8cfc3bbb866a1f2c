/**
 * The cases of PROXY headers without sockets: whole, cut anywhere, with what
 * follows behind.
 */
import fc from "fast-check";
import { ProxyError } from "../../../core/errors.ts";
import type { ProxyHeader } from "../../../core/proxy_protocol/header.ts";
import { headerKind, readHeader } from "../../../core/proxy_protocol/read.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { latin1Bytes } from "../../support/latin1.ts";
import { tlv, v2Header } from "../../support/proxy_headers.ts";
import { ACCEPTED, read, readPieces, REFUSED } from "./headers.ts";

const REQUEST = latin1Bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

for (const { id, name, bytes, ends } of ACCEPTED) {
  Deno.test(`${id} ${name} is read, at every cut`, () => {
    const expected = { ends, end: bytes.length };
    assertEquals(read(bytes), expected);
    // What follows is not looked at.
    for (const rest of [REQUEST, bytes, Uint8Array.of(0, 255, 13, 10)]) {
      assertEquals(read(Uint8Array.of(...bytes, ...rest)), expected);
    }
    for (let cut = 0; cut < bytes.length; cut++) {
      assertEquals(read(bytes.subarray(0, cut)), "more", `cut at ${cut}`);
    }
  });
}

for (const { id, name, bytes, refused } of REFUSED) {
  Deno.test(`${id} ${name} is refused, at every cut and byte by byte`, () => {
    assertEquals(read(bytes), refused);
    const cuts = Array.from({ length: bytes.length }, (_, i) => i);
    for (const cut of cuts) assertEquals(readPieces(bytes, [cut]), refused);
    assertEquals(readPieces(bytes, cuts), refused);
    assertEquals(read(Uint8Array.of(...bytes, ...REQUEST)), refused);
  });
}

Deno.test("readHeader() refuses as soon as bytes can't become a header", () => {
  const soonest = {
    "PROXX": "proxy_header_missing",
    "G": "proxy_header_missing",
    "\r\n\r\nG": "proxy_header_missing",
    "PROXY TCP4 1.2.3.4\n": "proxy_header_invalid",
    "PROXY TCP4 1.2.3.4\rx": "proxy_header_invalid",
    "\r\n\r\n\0\r\nQUIT\n\x11": "proxy_header_invalid",
    "\r\n\r\n\0\r\nQUIT\n\x21\x41": "proxy_header_invalid",
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0b": "proxy_header_invalid",
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\x40\0": "proxy_header_invalid",
  } as const;
  for (const [text, code] of Object.entries(soonest)) {
    const bytes = latin1Bytes(text);
    assertEquals(read(bytes), code, text);
    assertEquals(read(bytes.subarray(0, -1)), "more", text);
  }
});

Deno.test("headerKind() tells both versions from everything else", () => {
  const kind = (text: string) => {
    const bytes = latin1Bytes(text);
    return headerKind(bytes, 0, bytes.length);
  };
  assertEquals(
    ["", "P", "PROX", "PROXY", "PROXY TCP4", "PRI * HTTP/2.0", "POST"]
      .map(kind),
    ["more", "more", "more", "v1", "v1", "none", "none"],
  );
  assertEquals(
    ["\r", "\r\n\r\n\0\r\nQUIT", "\r\n\r\n\0\r\nQUIT\n", "\r\nGET", "x"]
      .map(kind),
    ["more", "more", "v2", "none", "none"],
  );
});

Deno.test("readHeader(): random bytes are refused or wait, and never throw anything else", () => {
  const beginning = fc.constantFrom(
    ...["", "PROXY ", "PROXY TCP4 ", "PROXY TCP6 ", "\r\n\r\n\0\r\nQUIT\n"],
    ...["\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x20", "\r\n\r\n\0\r\nQUIT\n\x20"],
  );
  const rest = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    fc.string({
      unit: fc.constantFrom(..."0123456789.: \r\n"),
      maxLength: 120,
    }).map(latin1Bytes),
  );
  fc.assert(
    fc.property(beginning, rest, (beginning, rest) => {
      const bytes = Uint8Array.of(...latin1Bytes(beginning), ...rest);
      const whole = read(bytes);
      // However they come, the same comes of them.
      const every = Array.from(bytes, (_, i) => i);
      assertEquals(readPieces(bytes, every), whole);
    }),
    { numRuns: 500 },
  );
});

/** The header of bytes that are whole. */
function headerOf(bytes: Uint8Array): ProxyHeader {
  return readHeader(bytes, 0, bytes.length)!.header;
}

Deno.test("P13 TLVs tell authority, ALPN, unique id and TLS; all are kept in their order", () => {
  const tlvs = [
    tlv(0xea, [1, 2, 3]),
    tlv(0x01, "h2"),
    tlv(0x02, "bücher.example"),
    tlv(0x05, [0, 255]),
    tlv(0x20, [
      ...[0x03, 0, 0, 0, 0],
      ...tlv(0x21, "TLSv1.3"),
      ...tlv(0x23, "TLS_AES_128_GCM_SHA256"),
      ...tlv(0x22, "Ägidius"),
    ]),
  ];
  const bytes = v2Header({ tlvs });
  const header = headerOf(bytes);
  // The buffer is somebody else's afterwards.
  bytes.fill(0);
  assertEquals(
    [header.version, header.local, header.authority, header.alpn],
    [2, false, "bücher.example", "h2"],
  );
  assertEquals(header.uniqueId, Uint8Array.of(0, 255));
  assertEquals(header.tls, {
    version: "TLSv1.3",
    cipher: "TLS_AES_128_GCM_SHA256",
    commonName: "Ägidius",
    verified: true,
  });
  assertEquals(
    header.tlvs.map(({ type, value }) => [type, value.length]),
    tlvs.map((bytes) => [bytes[0]!, bytes.length - 3]),
  );
  assertEquals(header.tlvs[0]!.value, Uint8Array.of(1, 2, 3));
});

Deno.test("P13 a header without TLVs, and empty ones, tell nothing", () => {
  for (const tlvs of [[], [tlv(0x01, ""), tlv(0x02, "")]]) {
    const { authority, alpn, uniqueId, tls } = headerOf(v2Header({ tlvs }));
    assertEquals([authority, alpn, uniqueId, tls], Array(4).fill(undefined));
  }
  const { version, local, tlvs } = headerOf(
    latin1Bytes("PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n"),
  );
  assertEquals([version, local, tlvs], [1, false, []]);
});

for (
  const { what, flags, result, expected } of [
    { what: "without TLS", flags: 0, result: 0, expected: undefined },
    { what: "without a certificate", flags: 1, result: 0, expected: false },
    { what: "with a certificate", flags: 3, result: 0, expected: true },
    {
      what: "with a session's certificate",
      flags: 5,
      result: 0,
      expected: true,
    },
    {
      what: "with a refused certificate",
      flags: 3,
      result: 1,
      expected: false,
    },
  ]
) {
  Deno.test(`P13 TLS of a client ${what}: verified is ${expected}`, () => {
    const tls = tlv(0x20, [flags, 0, 0, 0, result]);
    assertEquals(headerOf(v2Header({ tlvs: [tls] })).tls?.verified, expected);
  });
}

Deno.test("P10 a LOCAL header is the sender's own", () => {
  const header = headerOf(v2Header({ versionAndCommand: 0x20 }));
  assertEquals([header.local, header.ends], [true, undefined]);
});

Deno.test("refusals say what is wrong", () => {
  const reasons = new Set(REFUSED.map(({ bytes }) =>
    assertThrows(
      () => readHeader(bytes, 0, bytes.length),
      ProxyError,
    ).message
  ));
  assert(reasons.size > 20, [...reasons].join("\n"));
});
