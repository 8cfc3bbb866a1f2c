import {
  addressBackendId,
  backendHost,
  defaultBackendId,
  fixedAddress,
  parseBackendUrl,
} from "../../../core/config/backend_url.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("parseBackendUrl reads host, port and prefix", () => {
  assertEquals(parseBackendUrl("http://10.0.0.1:9001/v1/"), {
    scheme: "http",
    hostname: "10.0.0.1",
    port: 9001,
    path: undefined,
    prefix: "/v1",
    href: "http://10.0.0.1:9001/v1",
  });
});

Deno.test("parseBackendUrl knows the default ports of http and https", () => {
  assertEquals(parseBackendUrl("http://a.example").port, 80);
  assertEquals(
    parseBackendUrl("HTTPS://A.example/").href,
    "https://a.example:443",
  );
});

Deno.test("parseBackendUrl takes ws and wss for http and https", () => {
  assertEquals(parseBackendUrl("ws://a:1").scheme, "http");
  assertEquals(parseBackendUrl("wss://a:1").scheme, "https");
});

Deno.test("parseBackendUrl reads IPv6 addresses without their brackets", () => {
  const url = parseBackendUrl("tcp://[::1]:5432");
  assertEquals([url.scheme, url.hostname, url.port], ["tcp", "::1", 5432]);
  assertEquals(url.href, "tcp://[::1]:5432");
});

Deno.test("parseBackendUrl reads a unix socket's path", () => {
  for (const text of ["unix:/run/app.sock", "unix:///run/app.sock"]) {
    assertEquals(parseBackendUrl(text), {
      scheme: "http",
      hostname: "",
      port: 0,
      path: "/run/app.sock",
      prefix: "",
      href: "unix:/run/app.sock",
    });
  }
});

Deno.test("parseBackendUrl resolves and encodes the prefix", () => {
  assertEquals(
    parseBackendUrl("http://a/x/../y z".replace(" ", "é")).prefix,
    "/y%C3%A9z",
  );
  assertEquals(parseBackendUrl("http://a//").prefix, "");
});

for (
  const text of [
    "",
    "a:80",
    "//a:80",
    "http:a",
    "http:/a",
    "http://",
    "http://:80",
    "http://a:",
    "http://a:0",
    "http://a:65536",
    "http://a:8o",
    "http://u@a:80",
    "http://a:80/?x",
    "http://a:80/#x",
    "http://a:80\\b",
    "http://a b:80",
    "http://::1:80",
    "http://[1.2.3.4]:80",
    "http://1.2.3:80",
    "tcp://a",
    "tcp://a:80/",
    "ftp://a:80",
    "constructor://a:80",
    "unix:",
    "unix:app.sock",
    "unix://host/app.sock",
  ]
) {
  Deno.test(`parseBackendUrl refuses ${JSON.stringify(text)}`, () => {
    assertThrows(() => parseBackendUrl(text), Error, "Expected");
  });
}

Deno.test("defaultBackendId is the address", () => {
  const id = (text: string) => defaultBackendId(parseBackendUrl(text));
  assertEquals(id("http://10.0.0.1:9001/v1"), "10.0.0.1:9001");
  assertEquals(id("http://[::1]"), "[::1]:80");
  assertEquals(id("unix:/run/app.sock"), "unix:/run/app.sock");
});

Deno.test("addressBackendId is the id with the address, IPv6 in brackets", () => {
  assertEquals(addressBackendId("a", "10.0.0.1"), "a@10.0.0.1");
  assertEquals(addressBackendId("a.b:80", "::1"), "a.b:80@[::1]");
});

Deno.test("fixedAddress: where a backend is dialled without asking for a name", () => {
  const fixed = (text: string) => fixedAddress(parseBackendUrl(text));
  assertEquals(fixed("http://10.0.0.1:81"), { address: "10.0.0.1", port: 81 });
  assertEquals(fixed("http://[::1]:81"), { address: "::1", port: 81 });
  assertEquals(fixed("unix:/run/a.sock"), { address: "/run/a.sock", port: 0 });
  assertEquals(fixed("http://a.test:81"), undefined);
});

Deno.test("a URL at one address of its name is dialled there, and still says the name", () => {
  const url = { ...parseBackendUrl("http://a.test:81"), address: "10.0.0.1" };
  assertEquals(fixedAddress(url), { address: "10.0.0.1", port: 81 });
  assertEquals(backendHost(url), "a.test:81");
});
