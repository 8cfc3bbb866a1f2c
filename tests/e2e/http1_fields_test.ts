/** What belongs to one connection stays there, in both directions. */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { fieldValues } from "../support/raw_responses.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** What a backend gets of a request with these fields. */
async function sentOn(fields: string): Promise<string> {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  assertEquals((await client.response()).status, 200);
  return backend.requests[0]!.head;
}

/** What a client gets of a response with these fields. */
async function gotBack(fields: string): Promise<string> {
  await using backend = serveRaw([
    `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${fields}\r\nok`,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  return (await client.response()).head;
}

const WAYS = { request: sentOn, response: gotBack };

/** Fields of one connection, whatever Connection says (RFC 9110 §7.6.1). */
const HOP_BY_HOP = [
  "Keep-Alive: timeout=5",
  "Proxy-Connection: keep-alive",
  "TE: gzip",
  "Trailer: X-T",
  "Upgrade: websocket",
  "HTTP2-Settings: AAAA",
  "Proxy-Authenticate: Basic",
  "Proxy-Authorization: Basic eDp5",
];

for (const [way, pass] of Object.entries(WAYS)) {
  Deno.test(`hop-by-hop fields of a ${way} are not sent on`, async (t) => {
    for (const field of HOP_BY_HOP) {
      await t.step(field, async () => {
        const [name = ""] = field.split(":");
        const head = await pass(`${field}\r\nX-Stays: 1\r\n`);
        assertEquals(fieldValues(head, name.toLowerCase()), []);
        assertEquals(fieldValues(head, "x-stays"), ["1"]);
      });
    }
  });

  Deno.test(`fields that a ${way}'s Connection names are not sent on, in any spelling and line`, async () => {
    const head = await pass(
      "Connection: x-a ,, X-B\r\nX-A: 1\r\nx-b: 2\r\nX-AB: 3\r\n" +
        "connection: X-C\r\nX-C: 4\r\nX-a: 5\r\n",
    );
    assertEquals(
      head.split("\r\n").filter((line) => /^x-(a|b|c|ab):/i.test(line)),
      ["X-AB: 3"],
    );
    assertEquals(fieldValues(head, "connection"), []);
  });

  Deno.test(`a ${way}'s Connection can't take away fields that are for the recipient`, async () => {
    const fields = way === "request"
      ? {
        Cookie: "a=1",
        Authorization: "Basic eDp5",
        "X-Forwarded-For": "1.2.3.4",
      }
      : { "Set-Cookie": "a=1", "Cache-Control": "no-store", Vary: "X" };
    const lines = Object.entries(fields).map(([name, value]) =>
      `${name}: ${value}\r\n`
    );
    const names = Object.keys(fields).join(", ");
    const head = await pass(`${lines.join("")}Connection: ${names}\r\n`);
    for (const [name, value] of Object.entries(fields)) {
      assert(
        fieldValues(head, name.toLowerCase()).join().includes(value),
        `${name} in ${head}`,
      );
    }
  });

  Deno.test(`fields of a ${way} keep their order, spelling and bytes beyond ASCII`, async () => {
    const lines = "X-Z: 1\r\nx-a: \xe9\xff\r\nX-Z: 2\r\nX-Empty:\r\n";
    const head = await pass(lines);
    const got = head.split("\r\n").filter((line) =>
      /^x-(z|a|empty):/i.test(line)
    );
    assertEquals(got, ["X-Z: 1", "x-a: \xe9\xff", "X-Z: 2", "X-Empty:"]);
  });
}

Deno.test("Connection takes nothing away that is added here", async () => {
  await using backend = serveRaw([
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-ours, date\r\n" +
    "X-Ours: theirs\r\n\r\nok",
  ]);
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [{
      use: "builtin:headers",
      options: {
        request: { set: { "x-ours": "1" } },
        response: { set: { "x-ours": "2" } },
      },
    }],
  });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.1\r\nHost: a\r\nX-Ours: theirs\r\n" +
      "Connection: x-ours, x-forwarded-for, forwarded, via, host\r\n\r\n",
  );
  const { head } = await client.response();
  assertEquals(fieldValues(head, "x-ours"), ["2"]);
  assertEquals(fieldValues(head, "date").length, 1);
  const request = backend.requests[0]!.head;
  assertEquals(fieldValues(request, "x-ours"), ["1"]);
  assertEquals(fieldValues(request, "host"), ["a"]);
  for (const name of ["x-forwarded-for", "forwarded", "via"]) {
    assertEquals(fieldValues(request, name).length, 1, name);
  }
});

Deno.test("a backend's Connection of more than 32 options is a broken response", async () => {
  await using backend = serveRaw([
    `HTTP/1.1 200 OK\r\nConnection: ${"a,".repeat(33)}\r\n\r\n`,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assertEquals((await client.response()).status, 502);
});

Deno.test("Max-Forwards: an OPTIONS that may go no further is answered here, others count down", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  const hops = async (method: string, value: string) => {
    const { length } = backend.requests;
    await client.send(
      `${method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${value}\r\n\r\n`,
    );
    const { status, head } = await client.response(method);
    const request = backend.requests[length];
    return request === undefined
      ? [status, ...fieldValues(head, "allow")]
      : [status, ...fieldValues(request.head, "max-forwards")];
  };
  assertEquals(await hops("OPTIONS", "0"), [
    204,
    "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH",
  ]);
  assertEquals(await hops("OPTIONS", "00"), await hops("OPTIONS", "0"));
  assertEquals(await hops("OPTIONS", "1"), [200, "0"]);
  assertEquals(await hops("OPTIONS", "10"), [200, "9"]);
  // It means something for OPTIONS only, and nothing where it is no number.
  assertEquals(await hops("GET", "0"), [200, "0"]);
  assertEquals(await hops("OPTIONS", "-1"), [200, "-1"]);
});

Deno.test("Date is added where a backend sent none, and kept where it did", async () => {
  const added = fieldValues(await gotBack(""), "date");
  assertEquals(added.length, 1);
  assertMatch(
    added[0]!,
    /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/,
  );
  const kept = "Sun, 06 Nov 1994 08:49:37 GMT";
  assertEquals(
    fieldValues(await gotBack(`Date: ${kept}\r\n`), "date"),
    [kept],
  );
});

Deno.test("Date is in Headrace's own answers, and in no interim one", async () => {
  await using backend = serveRaw([`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const [hints] = await client.responses(1);
  assertEquals(fieldValues(hints!.head, "date"), []);
  using wrong = await RawClient.connect(proxy.port());
  await wrong.send("GET / HTTP/1.1\r\n\r\n");
  const { status, head } = await wrong.response();
  assertEquals(status, 400);
  assertEquals(fieldValues(head, "date").length, 1);
});

Deno.test("the status line is our own, the reason the backend's", async () => {
  await using backend = serveRaw([
    { close: "HTTP/1.0 299 Quite \xfcnusual\r\nContent-Length: 0\r\n\r\n" },
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const { head } = await client.response();
  assertEquals(head.split("\r\n")[0], "HTTP/1.1 299 Quite \xfcnusual");
});

Deno.test("path and query reach the backend byte by byte", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  const target = "/a/../b/%2e%2E//c;d=1?x=%41&y=[1]|{2}&z='\"`^<>\\";
  await client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
  assertEquals((await client.response()).status, 200);
  assertEquals(backend.requests[0]?.target, target);
});
