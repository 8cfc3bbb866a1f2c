/**
 * Descriptions of requests by people who err: told why, or explained, and never
 * a failure of ours.
 *
 * @module
 */
import fc from "fast-check";
import { RefusedError } from "../../../core/data_plane/control.ts";
import { printExplanation } from "../../../core/explain/print.ts";
import { assert } from "../../support/assert.ts";
import { startPlane } from "../../support/plane.ts";

const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom("", "a", "\r\n", "é", "\0", "*", "[::1]", "%00", "127.0.0.1"),
);

const url = fc.oneof(
  text,
  fc.constantFrom("http://a.test/", "https://b.test/x?y", "tcp://a.test:1"),
  fc.tuple(
    fc.constantFrom("http", "https", "tcp", "HTTP", "ws"),
    fc.oneof(text, fc.webAuthority(), fc.constantFrom("a.test:80", "b.test")),
    fc.oneof(text, fc.webPath(), fc.constant("/?x=%zz")),
  ).map(([scheme, host, path]) => `${scheme}://${host}${path}`),
);

const header = fc.tuple(
  fc.oneof(
    text,
    fc.constantFrom(
      ...["Host", "Content-Length", "Transfer-Encoding", "Cookie", "Via"],
      ...["Upgrade", "Connection", "X-Forwarded-For", "Forwarded", "Expect"],
      ...["Max-Forwards", "Content-Type", "Sec-WebSocket-Key"],
    ),
  ),
  fc.oneof(
    text,
    fc.constantFrom(
      ...["chunked", "websocket", "upgrade", "0", "1", "application/json"],
      ...["100-continue", "a.test", "for=x", "1.1 a"],
    ),
  ),
);

Deno.test("explain tells what it can't read, and fails at nothing", async () => {
  await using t = await startPlane({
    backends: ["http://127.0.0.1:1", "http://127.0.0.1:2"],
    cluster: { balance: "hash", sticky: { cookie: "C" } },
    listeners: [{
      name: "sni",
      address: "127.0.0.1:0",
      protocol: "tcp",
      sni: { "a.test": "bytes" },
    }],
    clusters: [{ name: "bytes", backends: [{ url: "tcp://127.0.0.1:3" }] }],
    products: [{
      name: "p",
      hosts: ["a.test"],
      rules: [
        { when: 'req_body_json_in("a", "b", true)', respond: { status: 200 } },
        { cluster: "main" },
      ],
    }, {
      name: "q",
      default: true,
      rules: [{ redirect: { scheme: "https", status: 301 } }],
    }],
  });
  let explained = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        url,
        method: fc.option(
          fc.oneof(text, fc.constantFrom("GET", "POST", "CONNECT", "TRACE")),
          { nil: undefined },
        ),
        headers: fc.array(header, { maxLength: 3 }),
        body: fc.option(text, { nil: undefined }),
        client: fc.option(fc.oneof(text, fc.ipV4(), fc.ipV6()), {
          nil: undefined,
          freq: 3,
        }),
        listener: fc.option(fc.constantFrom("web", "sni", "no"), {
          nil: undefined,
        }),
      }),
      async (described) => {
        try {
          const explanation = await t.plane.explain(described);
          explained++;
          assert(printExplanation(explanation).length > 0);
        } catch (thrown) {
          assert(thrown instanceof RefusedError, `${thrown}`);
        }
      },
    ),
    { numRuns: 2_000 },
  );
  assert(explained > 100, `${explained} were explained`);
});
