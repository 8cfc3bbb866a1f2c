import fc from "fast-check";
import { CidrSet, parseCidr } from "../../../core/net/cidr.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("parseCidr reads networks and single addresses of both families", () => {
  assertEquals(parseCidr("10.0.0.0/8"), {
    address: "10.0.0.0",
    prefix: 8,
    family: "ipv4",
  });
  assertEquals(parseCidr("127.0.0.1").prefix, 32);
  assertEquals(parseCidr("fd00::/8").family, "ipv6");
  assertEquals(parseCidr("::1").prefix, 128);
});

Deno.test("parseCidr reads a mapped network as the IPv4 one", () => {
  assertEquals(parseCidr("::ffff:10.0.0.0/104"), {
    address: "10.0.0.0",
    prefix: 8,
    family: "ipv4",
  });
});

for (
  const text of [
    "",
    "10.0.0.0/33",
    "::/129",
    "10.0.0/8",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "example.com",
    "[::1]/128",
    "fe80::1%eth0",
  ]
) {
  Deno.test(`parseCidr refuses ${JSON.stringify(text)}`, () => {
    assertThrows(() => parseCidr(text), SyntaxError, "Expected");
  });
}

Deno.test("CidrSet.has tells addresses inside from those outside", () => {
  const set = new CidrSet(["10.0.0.0/8", "192.168.1.1", "fd00::/8"]);
  for (const address of ["10.255.0.1", "192.168.1.1", "fd12::1"]) {
    assertEquals(set.has(address), true, address);
  }
  for (const address of ["11.0.0.1", "192.168.1.2", "fe80::1", "::1"]) {
    assertEquals(set.has(address), false, address);
  }
});

Deno.test("CidrSet.has takes an IPv4 address mapped into IPv6 for IPv4", () => {
  const set = new CidrSet(["10.0.0.0/8"]);
  assertEquals(set.has("::ffff:10.1.2.3"), true);
  assertEquals(set.has("::ffff:a01:203"), true);
  assertEquals(set.has("0:0:0:0:0:FFFF:0a01:0203"), true);
  assertEquals(set.has("::ffff:11.1.2.3"), false);
});

Deno.test("CidrSet.has leaves a zone aside", () => {
  assertEquals(new CidrSet(["fe80::/10"]).has("fe80::1%eth0"), true);
});

Deno.test("CidrSet.has finds no set for what is no IP address", () => {
  const set = new CidrSet(["0.0.0.0/0", "::/0"]);
  for (const address of ["", "unknown", "/run/a.sock", "10.0.0.1:80"]) {
    assertEquals(set.has(address), false, address);
  }
});

Deno.test("CidrSet of nothing holds nothing", () => {
  assertEquals(new CidrSet([]).has("127.0.0.1"), false);
});

Deno.test("CidrSet throws for a network that does not parse", () => {
  assertThrows(() => new CidrSet(["10.0.0.0/99"]), SyntaxError);
});

Deno.test("CidrSet.has agrees with comparing the leading bits", () => {
  const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
  const bits = (parts: readonly number[]) =>
    parts.map((part) => part.toString(2).padStart(8, "0")).join("");
  fc.assert(
    fc.property(address, address, fc.nat(32), (network, other, prefix) => {
      const set = new CidrSet([`${network.join(".")}/${prefix}`]);
      assertEquals(
        set.has(other.join(".")),
        bits(network).slice(0, prefix) === bits(other).slice(0, prefix),
      );
    }),
  );
});
