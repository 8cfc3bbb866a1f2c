import fc from "fast-check";
import {
  addressesOverlap,
  formatAddress,
  isLoopback,
  parseListenAddress,
} from "../../../core/net/address.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

const VALID = {
  "0.0.0.0:8080": {
    kind: "tcp",
    hostname: "0.0.0.0",
    port: 8080,
    lastPort: 8080,
  },
  "[::]:8080": { kind: "tcp", hostname: "::", port: 8080, lastPort: 8080 },
  "127.0.0.1:9000-9003": {
    kind: "tcp",
    hostname: "127.0.0.1",
    port: 9000,
    lastPort: 9003,
  },
  "LocalHost:0": { kind: "tcp", hostname: "localhost", port: 0, lastPort: 0 },
  "unix:///run/headrace.sock": { kind: "unix", path: "/run/headrace.sock" },
  "unix:/run/headrace.sock": { kind: "unix", path: "/run/headrace.sock" },
} as const;

for (const [text, address] of Object.entries(VALID)) {
  Deno.test(`parseListenAddress reads ${text}`, () => {
    assertEquals(parseListenAddress(text), address);
  });
}

const INVALID = [
  "",
  "8080",
  ":8080",
  "127.0.0.1",
  "127.0.0.1:",
  "127.0.0.1:65536",
  "127.0.0.1:-1",
  "127.0.0.1:80a",
  "127.0.0.1:2-1",
  "127.0.0.1:0-5",
  "127.0.0.1:1-1001",
  "::1:80",
  "[::1]",
  "[1.2.3.4]:80",
  "[]:80",
  "300.1.1.1:80",
  "1.2.3:80",
  "0x7f.1:80",
  "-a.example:80",
  "a b:80",
  "http://a:80",
  "unix:",
  "unix:run/a.sock",
  "unix:/run/",
  "unix://run/a",
  `unix:/${"a".repeat(107)}`,
];

for (const text of INVALID) {
  Deno.test(`parseListenAddress refuses ${JSON.stringify(text)}`, () => {
    assertThrows(() => parseListenAddress(text), SyntaxError, "Expected");
  });
}

Deno.test("parseListenAddress takes the longest socket path that fits", () => {
  const path = `/${"a".repeat(106)}`;
  assertEquals(parseListenAddress(`unix:${path}`), { kind: "unix", path });
});

Deno.test("formatAddress writes what parseListenAddress reads", () => {
  const port = fc.integer({ min: 1, max: 60_000 });
  const host = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom("localhost", "a-1.example"),
  );
  fc.assert(
    fc.property(host, port, fc.nat(999), (hostname, first, more) => {
      const address = {
        kind: "tcp",
        hostname,
        port: first,
        lastPort: first + more,
      } as const;
      assertEquals(parseListenAddress(formatAddress(address)), address);
    }),
  );
});

function overlap(a: string, b: string): boolean {
  const [one, other] = [parseListenAddress(a), parseListenAddress(b)];
  assertEquals(addressesOverlap(one, other), addressesOverlap(other, one));
  return addressesOverlap(one, other);
}

Deno.test("addressesOverlap tells ranges of one host that share a port", () => {
  assertEquals(overlap("127.0.0.1:80-90", "127.0.0.1:90-95"), true);
  assertEquals(overlap("127.0.0.1:80-90", "127.0.0.1:91"), false);
});

Deno.test("addressesOverlap takes a wildcard for every address of its families", () => {
  assertEquals(overlap("0.0.0.0:80", "10.0.0.1:80"), true);
  assertEquals(overlap("0.0.0.0:80", "[::1]:80"), false);
  assertEquals(overlap("[::]:80", "10.0.0.1:80"), true);
  assertEquals(overlap("[::]:80", "0.0.0.0:80"), true);
});

Deno.test("addressesOverlap knows other spellings of one address", () => {
  assertEquals(overlap("localhost:80", "127.0.0.1:80"), true);
  assertEquals(overlap("[0:0::1]:80", "[::1]:80"), true);
  assertEquals(overlap("[fe80::1%eth0]:80", "[fe80:0::1%eth0]:80"), true);
  assertEquals(overlap("[fe80::1%eth0]:80", "[fe80::1%eth1]:80"), false);
});

Deno.test("addressesOverlap lets port 0 stand any number of times", () => {
  assertEquals(overlap("127.0.0.1:0", "127.0.0.1:0"), false);
});

Deno.test("addressesOverlap compares unix sockets by path", () => {
  assertEquals(overlap("unix:/run/a", "unix:/run/a"), true);
  assertEquals(overlap("unix:/run/a", "unix:/run/b"), false);
  assertEquals(overlap("unix:/run/a", "127.0.0.1:80"), false);
});

Deno.test("isLoopback tells addresses that only this machine reaches", () => {
  for (const text of ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"]) {
    assertEquals(isLoopback(parseListenAddress(text)), true, text);
  }
  for (const text of ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "a.example:1"]) {
    assertEquals(isLoopback(parseListenAddress(text)), false, text);
  }
  assertEquals(isLoopback({ kind: "unix", path: "/run/a" }), true);
});
