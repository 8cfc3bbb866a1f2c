/**
 * Headers with what is to come of them: for whole bytes, every split and a
 * socket.
 *
 * @module
 */
import type { FailureCode } from "../../../core/errors.ts";
import { ProxyError } from "../../../core/errors.ts";
import type { SocketEnds } from "../../../core/net/socket_address.ts";
import { readHeader } from "../../../core/proxy_protocol/read.ts";
import { latin1Bytes } from "../../support/latin1.ts";
import {
  IPV6_ENDS,
  tlv,
  v2Header,
  v2HeaderWithChecksum,
} from "../../support/proxy_headers.ts";

/** What is read: what of a header tests look at, or the failure's code. */
export type Reading =
  | { readonly ends: SocketEnds | undefined; readonly end: number }
  | FailureCode
  | "more";

/** What comes of all bytes at once. */
export function read(bytes: Uint8Array): Reading {
  // Bytes before and behind must not matter.
  const around = new Uint8Array(bytes.length + 20).fill(0x51);
  around.set(bytes, 7);
  try {
    const found = readHeader(around, 7, 7 + bytes.length);
    if (found === undefined) return "more";
    return { ends: found.header.ends, end: found.end - 7 };
  } catch (thrown) {
    if (thrown instanceof ProxyError) return thrown.code;
    throw thrown;
  }
}

/** What comes of bytes that arrive in pieces: the first answer that is not `more`. */
export function readPieces(
  bytes: Uint8Array,
  cuts: readonly number[],
): Reading {
  for (const cut of [...cuts, bytes.length]) {
    const reading = read(bytes.subarray(0, cut));
    if (reading !== "more") return reading;
  }
  return "more";
}

/** From and to of TCP4 in the table. */
export const ENDS4: SocketEnds = {
  source: { address: "1.2.3.4", port: 1111 },
  destination: { address: "5.6.7.8", port: 80 },
};

/** From and to of TCP6 in the table. */
export const ENDS6: SocketEnds = {
  source: { address: "2001:db8::1", port: 1111 },
  destination: { address: "2001:db8::2", port: 80 },
};

/** One row: the case of haproxy.md §3.6, what it is, the bytes, the ends or why it is refused. */
export interface HeaderCase {
  readonly id: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Undefined where the connection's own ends stand. */
  readonly ends?: SocketEnds | undefined;
  readonly refused?: FailureCode;
}

const BAD = "proxy_header_invalid";
const NONE = "proxy_header_missing";

function line(
  id: string,
  text: string,
  rest: Pick<HeaderCase, "ends" | "refused">,
  name = JSON.stringify(text.length < 60 ? text : `${text.slice(0, 57)}...`),
): HeaderCase {
  return { id, name, bytes: latin1Bytes(text), ...rest };
}

function binary(
  id: string,
  name: string,
  bytes: Uint8Array,
  rest: Pick<HeaderCase, "ends" | "refused">,
): HeaderCase {
  return { id, name, bytes, ...rest };
}

const OWN = { ends: undefined };

/** A line of 107 bytes, the longest, and one of a byte more. */
const LONGEST = `PROXY UNKNOWN ${"f".repeat(91)}\r\n`;
const TOO_LONG = `PROXY UNKNOWN ${"f".repeat(92)}\r\n`;

const TLS = tlv(0x20, [
  ...[0x07, 0, 0, 0, 0],
  ...tlv(0x21, "TLSv1.3"),
  ...tlv(0x22, "client é"),
  ...tlv(0x23, "TLS_AES_128_GCM_SHA256"),
  ...tlv(0x24, "RSA-SHA256"),
  ...tlv(0x25, "RSA2048"),
]);

/** Headers that are whole. */
export const ACCEPTED: readonly HeaderCase[] = [
  line("P01", "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n", { ends: ENDS4 }),
  line("P01", "PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", {
    ends: {
      source: { address: "0.0.0.0", port: 0 },
      destination: { address: "255.255.255.255", port: 65535 },
    },
  }),
  line("P02", "PROXY TCP6 2001:db8::1 2001:db8::2 1111 80\r\n", {
    ends: ENDS6,
  }),
  line(
    "P02",
    "PROXY TCP6 2001:0DB8:0000:0000:0000:0000:0000:0001 2001:0DB8:0000:0000:0000:0000:0000:0002 1111 80\r\n",
    { ends: ENDS6 },
  ),
  line("P02", "PROXY TCP6 ::ffff:1.2.3.4 ::1 1111 80\r\n", {
    ends: {
      source: { address: "::ffff:1.2.3.4", port: 1111 },
      destination: { address: "::1", port: 80 },
    },
  }),
  line("P03", "PROXY UNKNOWN\r\n", OWN),
  line("P03", "PROXY UNKNOWN \r\n", OWN),
  line("P03", "PROXY UNKNOWN ::1 nonsense \xff\0 99999\r\n", OWN),
  line("P04", LONGEST, OWN, "107 bytes with CRLF"),
  binary("P09", "v2 TCP4", v2Header(), { ends: ENDS4 }),
  binary(
    "P09",
    "v2 TCP6",
    v2Header({ familyAndTransport: 0x21, ends: IPV6_ENDS }),
    { ends: ENDS6 },
  ),
  binary(
    "P10",
    "v2 LOCAL without a block",
    v2Header({ versionAndCommand: 0x20, familyAndTransport: 0, ends: [] }),
    OWN,
  ),
  binary(
    "P10",
    "v2 LOCAL with addresses, which do not count",
    v2Header({ versionAndCommand: 0x20 }),
    OWN,
  ),
  binary(
    "P10",
    "v2 LOCAL of a family that nobody knows, with bytes that are no TLVs",
    v2Header({
      versionAndCommand: 0x20,
      familyAndTransport: 0xff,
      ends: [9, 9, 9, 9, 9],
    }),
    OWN,
  ),
  binary(
    "P11",
    "v2 UNSPEC",
    v2Header({ familyAndTransport: 0, ends: [9, 9, 9] }),
    OWN,
  ),
  binary(
    "P11",
    "v2 IPv4 with an unspecified transport",
    v2Header({ familyAndTransport: 0x10 }),
    OWN,
  ),
  binary(
    "P11",
    "v2 stream of an unspecified family",
    v2Header({ familyAndTransport: 0x01, ends: [] }),
    OWN,
  ),
  binary(
    "P11",
    "v2 UDP4, no client of ours",
    v2Header({ familyAndTransport: 0x12 }),
    OWN,
  ),
  binary(
    "P11",
    "v2 UDP6",
    v2Header({ familyAndTransport: 0x22, ends: IPV6_ENDS }),
    OWN,
  ),
  binary(
    "P11",
    "v2 unix",
    v2Header({ familyAndTransport: 0x31, ends: Array(216).fill(0x2f) }),
    OWN,
  ),
  binary(
    "P13",
    "v2 with TLVs up to its end",
    v2Header({
      tlvs: [
        tlv(0x01, "h2"),
        tlv(0x02, "example.com"),
        tlv(0x04, [0, 0, 0]),
        tlv(0x04, []),
        tlv(0x05, Array(128).fill(7)),
        TLS,
        tlv(0x30, "blue"),
        tlv(0xe0, [1, 2]),
        tlv(0xe0, [3]),
      ],
    }),
    { ends: ENDS4 },
  ),
  binary("P14", "v2 with a checksum", v2HeaderWithChecksum(), { ends: ENDS4 }),
  binary(
    "P14",
    "v2 with a checksum before other TLVs",
    v2HeaderWithChecksum([tlv(0x02, "example.com")]),
    { ends: ENDS4 },
  ),
];

const LINES_REFUSED: readonly string[] = [
  // P05: the line's end.
  "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\rG",
  "PROXY UNKNOWN\n",
  "PROXY UNKNOWN a\rb\r\n",
  // P06: what stands in it.
  "PROXY TCP4 01.2.3.4 5.6.7.8 1111 80\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.08 1111 80\r\n",
  "PROXY TCP4 1.2.3.256 5.6.7.8 1111 80\r\n",
  "PROXY TCP4 1.2.3 5.6.7.8 1111 80\r\n",
  "PROXY TCP4 0x1.2.3.4 5.6.7.8 1111 80\r\n",
  "PROXY TCP4 localhost 5.6.7.8 1111 80\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 65536 80\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 1111 007\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 00 80\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 -1 80\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 +1 80\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 1e3 80\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8  80\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 1111\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80 \r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80 x\r\n",
  "PROXY  TCP4 1.2.3.4 5.6.7.8 1111 80\r\n",
  "PROXY TCP4  1.2.3.4 5.6.7.8 1111 80\r\n",
  "PROXY\tTCP4 1.2.3.4 5.6.7.8 1111 80\r\n",
  "PROXYTCP4 1.2.3.4 5.6.7.8 1111 80\r\n",
  "PROXY tcp4 1.2.3.4 5.6.7.8 1111 80\r\n",
  "PROXY TCP5 1.2.3.4 5.6.7.8 1111 80\r\n",
  "PROXY UDP4 1.2.3.4 5.6.7.8 1111 80\r\n",
  "PROXY TCP4 ::1 ::2 1111 80\r\n",
  "PROXY TCP6 1.2.3.4 5.6.7.8 1111 80\r\n",
  "PROXY TCP6 ::1 5.6.7.8 1111 80\r\n",
  "PROXY TCP4 1.2.3.4 ::1 1111 80\r\n",
  "PROXY TCP6 ::1%eth0 ::2 1111 80\r\n",
  "PROXY TCP6 [::1] [::2] 1111 80\r\n",
  "PROXY TCP6 1::2::3 ::2 1111 80\r\n",
  "PROXY TCP6 12345::1 ::2 1111 80\r\n",
  "PROXY TCP4 1.2.3.4\0 5.6.7.8 1111 80\r\n",
  "PROXY UNKNOWNX\r\n",
  "PROXY unknown\r\n",
  "PROXY \r\n",
  "PROXY\r\n",
];

/** Headers that break the protocol, and what is none. */
export const REFUSED: readonly HeaderCase[] = [
  line("P04", TOO_LONG, { refused: BAD }, "108 bytes with CRLF"),
  line("P04", `PROXY UNKNOWN ${"f".repeat(200)}`, { refused: BAD }),
  line("P04", `PROXY UNKNOWN ${"f".repeat(92)}\r`, { refused: BAD }, "CR last"),
  ...LINES_REFUSED.map((text, i) =>
    line(i < 4 ? "P05" : "P06", text, { refused: BAD })
  ),
  line("P06", "proxy TCP4 1.2.3.4 5.6.7.8 1111 80\r\n", { refused: NONE }),
  line("P06", " PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n", { refused: NONE }),
  line("P06", "\r\nPROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n", { refused: NONE }),
  line("P08", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", { refused: NONE }),
  line("P08", "PUT / HTTP/1.1\r\nHost: a\r\n\r\n", { refused: NONE }),
  line("P08", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", { refused: NONE }),
  line("P08", "\x16\x03\x01\x02\x00", { refused: NONE }, "TLS"),
  ...[0x11, 0x31, 0x01, 0xf1].map((byte) =>
    binary(
      "P11",
      `v2 of version ${byte >> 4}`,
      v2Header({ versionAndCommand: byte }),
      { refused: BAD },
    )
  ),
  ...[0x22, 0x2f].map((byte) =>
    binary(
      "P11",
      `v2 with command ${byte & 0xf}`,
      v2Header({ versionAndCommand: byte }),
      { refused: BAD },
    )
  ),
  ...[0x41, 0xf1, 0x13, 0x1f, 0x03].map((byte) =>
    binary(
      "P11",
      `v2 with family and transport 0x${byte.toString(16)}`,
      v2Header({ familyAndTransport: byte }),
      { refused: BAD },
    )
  ),
  ...[
    [0x11, 11],
    [0x12, 11],
    [0x21, 35],
    [0x22, 12],
    [0x31, 215],
    [0x32, 0],
  ].map(([familyAndTransport, length]) =>
    binary(
      "P12",
      `v2 of family 0x${familyAndTransport!.toString(16)} with ${length} bytes`,
      v2Header({
        familyAndTransport: familyAndTransport!,
        ends: Array(length).fill(1),
      }),
      { refused: BAD },
    )
  ),
  binary(
    "P12",
    "v2 longer than 16 KiB",
    v2Header({ length: (16 << 10) - 15, ends: [] }),
    { refused: BAD },
  ),
  ...[
    { name: "of two bytes", tlvs: [[4, 0]] },
    { name: "of one byte", tlvs: [[4]] },
    { name: "behind a whole one", tlvs: [tlv(4, []), [4, 0]] },
  ].map(({ name, tlvs }) =>
    binary("P13", `v2 with a cut off TLV ${name}`, v2Header({ tlvs }), {
      refused: BAD,
    })
  ),
  binary(
    "P13",
    "v2 with a TLV that overruns the header",
    v2Header({ tlvs: [[4, 0, 3, 1, 2]] }),
    { refused: BAD },
  ),
  ...[0x01, 0x02, 0x05, 0x30].map((type) =>
    binary(
      "P13",
      `v2 with TLV ${type} twice`,
      v2Header({ tlvs: [tlv(type, "a"), tlv(4, []), tlv(type, "a")] }),
      { refused: BAD },
    )
  ),
  binary("P13", "v2 with TLS twice", v2Header({ tlvs: [TLS, TLS] }), {
    refused: BAD,
  }),
  binary(
    "P13",
    "v2 with a unique id of 129 bytes",
    v2Header({ tlvs: [tlv(0x05, Array(129).fill(7))] }),
    { refused: BAD },
  ),
  binary(
    "P13",
    "v2 with an authority of 256 bytes",
    v2Header({ tlvs: [tlv(0x02, "a".repeat(256))] }),
    { refused: BAD },
  ),
  binary(
    "P13",
    "v2 with an authority that is no UTF-8",
    v2Header({ tlvs: [tlv(0x02, [0xc3, 0x28])] }),
    { refused: BAD },
  ),
  binary(
    "P13",
    "v2 with an authority with a line feed",
    v2Header({ tlvs: [tlv(0x02, "a\nb")] }),
    { refused: BAD },
  ),
  binary(
    "P13",
    "v2 with an ALPN with DEL",
    v2Header({ tlvs: [tlv(0x01, "h2\x7f")] }),
    { refused: BAD },
  ),
  binary(
    "P13",
    "v2 with TLS facts of four bytes",
    v2Header({ tlvs: [tlv(0x20, [1, 0, 0, 0])] }),
    { refused: BAD },
  ),
  binary(
    "P13",
    "v2 with a TLV that overruns the TLS facts",
    v2Header({
      tlvs: [tlv(0x20, [1, 0, 0, 0, 0, 0x21, 0, 9, 1]), tlv(4, Array(20))],
    }),
    { refused: BAD },
  ),
  binary(
    "P13",
    "v2 with a cipher twice",
    v2Header({
      tlvs: [tlv(0x20, [1, 0, 0, 0, 0, ...tlv(0x23, "a"), ...tlv(0x23, "b")])],
    }),
    { refused: BAD },
  ),
  binary(
    "P14",
    "v2 with a wrong checksum",
    v2Header({
      tlvs: [tlv(0x03, [1, 2, 3, 4])],
    }),
    { refused: BAD },
  ),
  binary(
    "P14",
    "v2 with a checksum of other bytes",
    (() => {
      const bytes = v2HeaderWithChecksum([tlv(0x02, "example.com")]);
      bytes[16]! ^= 1;
      return bytes;
    })(),
    { refused: BAD },
  ),
  binary(
    "P14",
    "v2 with a checksum of three bytes",
    v2Header({ tlvs: [tlv(0x03, [0, 0, 0])] }),
    { refused: BAD },
  ),
  binary(
    "P14",
    "v2 with two checksums",
    v2HeaderWithChecksum([tlv(0x03, [0, 0, 0, 0])]),
    { refused: BAD },
  ),
];
