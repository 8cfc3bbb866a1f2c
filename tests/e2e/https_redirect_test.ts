/**
 * From HTTP to HTTPS by a rule, and HSTS by the headers plugin.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { HttpClient } from "../support/http_client.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { connectTls } from "../support/tls_client.ts";
import { tlsSite } from "../support/tls_site.ts";

Deno.test("a rule sends what came without TLS to https, and answers what came with it", async () => {
  await using s = await tlsSite();
  await using proxy = await startProxyWith({
    listeners: [{
      name: "secure",
      address: "127.0.0.1:0",
      tls: { certificates: s.single },
    }],
    products: [{
      name: "p",
      default: true,
      rules: [
        {
          when: "!req_proto_secure()",
          redirect: { scheme: "https", status: 308 },
        },
        { respond: { status: 200, body: "secure\n" } },
      ],
    }],
    plugins: [{
      use: "builtin:headers",
      listeners: ["secure"],
      options: {
        response: { set: { "Strict-Transport-Security": "max-age=31536000" } },
      },
    }],
  });
  using plain = await HttpClient.connect(proxy.port(0));
  const location = async (line: string, host: string) => {
    await plain.send(`${line} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const { status, headers } = await plain.response();
    assertEquals(status, 308);
    assertEquals(headers.get("strict-transport-security"), null);
    return headers.get("location");
  };
  for (
    const [line, host, expected] of [
      [
        "GET /a?b=%20c",
        "Shop.example.com",
        "https://shop.example.com/a?b=%20c",
      ],
      ["GET /", "shop.example.com:8080", "https://shop.example.com/"],
      ["GET /", "[2001:DB8::1]:80", "https://[2001:db8::1]/"],
      ["POST //x/../y", "a.test", "https://a.test//x/../y"],
      ["OPTIONS *", "a.test", "https://a.test/"],
    ] as const
  ) assertEquals(await location(line, host), expected);
  using secure = await connectTls(proxy.port(1), { ca: s.ca.cert });
  const response = await secure.get();
  assertEquals([response.status, response.text], [200, "secure\n"]);
  assertEquals(
    response.headers.get("strict-transport-security"),
    "max-age=31536000",
  );
});

Deno.test("a redirect by scheme keeps another port where one is said, and needs a host", async () => {
  await using proxy = await startProxyWith({
    products: [{
      name: "p",
      default: true,
      rules: [{ redirect: { scheme: "https", port: 8443 } }],
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  const { status, headers } = await client.get("/x", "a.test");
  assertEquals([status, headers.get("location")], [
    302,
    "https://a.test:8443/x",
  ]);
  using old = await HttpClient.connect(proxy.port());
  await old.send("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  // HTTP/1.0 has no Host: there is nowhere to send it.
  const answer = new Uint8Array(12);
  await old.conn.read(answer);
  assertEquals(new TextDecoder().decode(answer), "HTTP/1.1 400");
});
