import fc from "fast-check";
import { formatIp, mapIp, parseIp } from "../../../core/net/ip_bytes.ts";
import type { SocketEnds } from "../../../core/net/socket_address.ts";
import { readHeader } from "../../../core/proxy_protocol/read.ts";
import {
  ownHeader,
  type SentVersion,
  writeHeader,
} from "../../../core/proxy_protocol/write.ts";
import { assertEquals } from "../../support/assert.ts";
import { latin1Text } from "../../support/latin1.ts";
import { IPV6_ENDS, SIGNATURE, v2Header } from "../../support/proxy_headers.ts";
import { ENDS4, ENDS6 } from "./headers.ts";

function ends(source: string, destination: string): SocketEnds {
  return {
    source: { address: source, port: 1111 },
    destination: { address: destination, port: 80 },
  };
}

const LINES: readonly (readonly [SocketEnds, string])[] = [
  [ENDS4, "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n"],
  [ENDS6, "PROXY TCP6 2001:db8::1 2001:db8::2 1111 80\r\n"],
  // As dual-stack sockets tell IPv4.
  [
    ends("::ffff:1.2.3.4", "::ffff:5.6.7.8"),
    "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n",
  ],
  [
    ends("::ffff:1.2.3.4", "5.6.7.8"),
    "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n",
  ],
  [
    ends("2001:db8::1", "5.6.7.8"),
    "PROXY TCP6 2001:db8::1 ::ffff:5.6.7.8 1111 80\r\n",
  ],
  [
    ends("1.2.3.4", "2001:db8::2"),
    "PROXY TCP6 ::ffff:1.2.3.4 2001:db8::2 1111 80\r\n",
  ],
  [
    ends("fe80::1%eth0", "fe80::2"),
    "PROXY TCP6 fe80::1 fe80::2 1111 80\r\n",
  ],
  [ends("", ""), "PROXY UNKNOWN\r\n"],
  [ends("/run/a.sock", "5.6.7.8"), "PROXY UNKNOWN\r\n"],
  [ends("1.2.3.4", "/run/a.sock"), "PROXY UNKNOWN\r\n"],
  [ends("unknown\r\nGET /", "5.6.7.8"), "PROXY UNKNOWN\r\n"],
];

for (const [ends, line] of LINES) {
  const { source, destination } = ends;
  Deno.test(`writeHeader(): ${source.address} to ${destination.address} is ${line.trim()}`, () => {
    assertEquals(latin1Text(writeHeader("v1", ends)), line);
  });
}

Deno.test("writeHeader(): version 2 of both families", () => {
  assertEquals(writeHeader("v2", ENDS4), v2Header());
  assertEquals(
    writeHeader("v2", ENDS6),
    v2Header({ familyAndTransport: 0x21, ends: IPV6_ENDS }),
  );
});

Deno.test("writeHeader(): version 2 is LOCAL and UNSPEC where an end is no address", () => {
  const local = Uint8Array.of(...SIGNATURE, 0x20, 0, 0, 0);
  assertEquals(writeHeader("v2", ends("", "")), local);
});

Deno.test("ownHeader(): LOCAL, in version 1 the connection's own ends", () => {
  const local = Uint8Array.of(...SIGNATURE, 0x20, 0, 0, 0);
  assertEquals(ownHeader("v2", ENDS4), local);
  assertEquals(ownHeader("v1", ENDS4), writeHeader("v1", ENDS4));
  assertEquals(
    latin1Text(ownHeader("v1", ends("", "/run/b.sock"))),
    "PROXY UNKNOWN\r\n",
  );
});

/** An end with the bytes of its address. */
const end = fc.record({
  address: fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.uint8Array({ minLength: 4, maxLength: 4 }).map(mapIp),
  ).map(formatIp),
  port: fc.integer({ min: 0, max: 65_535 }),
});

Deno.test("what writeHeader() writes readHeader() reads, whatever follows", () => {
  const version = fc.constantFrom<SentVersion>("v1", "v2");
  const rest = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(
      version,
      end,
      end,
      rest,
      (version, source, destination, rest) => {
        const header = writeHeader(version, { source, destination });
        const read = readHeader(
          Uint8Array.of(...header, ...rest),
          0,
          header.length + rest.length,
        )!;
        assertEquals(read.end, header.length);
        assertEquals(
          mapped(read.header.ends!),
          mapped({ source, destination }),
        );
      },
    ),
    { numRuns: 500 },
  );
});

/** Both ends as IPv6: which of the forms of an IPv4 address is sent depends on the other end. */
function mapped({ source, destination }: SocketEnds) {
  return [source, destination].map(({ address, port }) => [
    mapIp(parseIp(address)!),
    port,
  ]);
}
