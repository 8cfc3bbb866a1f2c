/**
 * A PROXY header before TLS: first the header, then the handshake.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { splittingRelay } from "../support/splitting_relay.ts";
import { connectTls } from "../support/tls_client.ts";
import { HELLO, tlsSite } from "../support/tls_site.ts";

const HEADER = "PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n";

Deno.test("the header names the client, the handshake follows, in one piece or cut anywhere", async () => {
  await using s = await tlsSite();
  const seen: unknown[] = [];
  await using proxy = await startProxyWith({
    listener: {
      tls: { certificates: s.single },
      proxyProtocol: "require",
      trusted: ["127.0.0.0/8"],
    },
    products: HELLO,
    plugins: [handlersPlugin("notes", {
      accept: (session) => {
        seen.push(["accept", session.remote.address, session.tls]);
      },
      handshake: (session) => {
        seen.push([
          "handshake",
          session.remote.address,
          session.tls?.serverName,
        ]);
      },
    })],
  });
  for (const cut of [0, 1, 10, HEADER.length, HEADER.length + 3]) {
    await using relay = splittingRelay(proxy.port(), cut, HEADER);
    using client = await connectTls(relay.port, {
      ca: s.ca.cert,
      name: "exact.w.test",
    });
    assertEquals([cut, (await client.get()).text], [cut, "hello\n"]);
    assertEquals(seen.splice(0), [
      ["accept", "192.0.2.7", undefined],
      ["handshake", "192.0.2.7", "exact.w.test"],
    ]);
  }
});

Deno.test("TLS without the header that is required is refused before the handshake", async () => {
  await using s = await tlsSite();
  const codes: (string | undefined)[] = [];
  await using proxy = await startProxyWith({
    listener: {
      tls: { certificates: s.single },
      proxyProtocol: "require",
      trusted: ["127.0.0.0/8"],
    },
    products: HELLO,
    plugins: [handlersPlugin("notes", {
      finish: (session) => {
        codes.push(session.error?.code);
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
  await client.ended();
  assertEquals(codes, ["proxy_header_missing"]);
});
