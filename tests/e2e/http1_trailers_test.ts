/** Trailers: dropped, but for a client that takes them (RFC 9110 §6.5). */
import { createServer, request } from "node:http";
import { assert, assertEquals } from "../support/assert.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { fieldValues } from "../support/raw_responses.ts";

const CHUNKED_OK = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
const TAKES = "TE: trailers\r\nConnection: TE\r\n";
const GET_WITH = `GET / HTTP/1.1\r\nHost: a\r\n${TAKES}\r\n`;

/** What a client gets back of a reply. */
async function relayed(reply: string, request: string, method = "GET") {
  await using backend = serveRaw([reply]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(request);
  const isOver = () => client.parse([method])[0]?.complete === true;
  await client.until("the response", isOver);
  const [response] = client.parse([method]);
  return { response: response!, request: backend.requests[0]! };
}

Deno.test("trailers reach a client that takes them, and its backend is told so", async () => {
  const { response, request } = await relayed(
    `${CHUNKED_OK}Trailer: Grpc-Status, grpc-message\r\n\r\n` +
      "2\r\nok\r\n0\r\nGrpc-Status: 0\r\ngrpc-message:  a\xe9 b \r\n\r\n",
    GET_WITH,
  );
  assertEquals(fieldValues(request.head, "te"), ["trailers"]);
  assertEquals(fieldValues(request.head, "connection"), ["te"]);
  assertEquals(fieldValues(response.head, "trailer"), [
    "Grpc-Status, grpc-message",
  ]);
  assertEquals(response.body, "ok");
  assertEquals(response.trailers, ["Grpc-Status: 0", "grpc-message: a\xe9 b"]);
});

Deno.test("trailers that come late, alone or behind an empty body are relayed, and the connections live on", async () => {
  await using backend = serveRaw([
    {
      early: true,
      data: `${CHUNKED_OK}\r\n2\r\nok\r\n`,
      then: "0\r\nX-T: 1\r\n\r\n",
    },
    `${CHUNKED_OK}\r\n0\r\nX-T: 2\r\n\r\n`,
    `${CHUNKED_OK}\r\n0\r\n\r\n`,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  const responses = [];
  for (let i = 0; i < 3; i++) {
    await client.send(GET_WITH);
    const { body, trailers } = await client.response();
    responses.push([body, ...trailers]);
  }
  assertEquals(responses, [["ok", "X-T: 1"], ["", "X-T: 2"], [""]]);
  assertEquals(backend.connections.length, 1);
});

Deno.test("a request's trailers reach the backend where the client takes trailers", async () => {
  await using backend = serveRaw();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  for (let i = 0; i < 2; i++) {
    await client.send(
      `POST / HTTP/1.1\r\nHost: a\r\n${TAKES}Trailer: X-Sum, Host\r\n` +
        "Transfer-Encoding: chunked\r\n\r\n" +
        "2\r\nhi\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n",
    );
    await client.response();
    const { body, head, trailers, problem } = backend.requests[i]!;
    assertEquals([body, problem], ["hi", undefined]);
    assertEquals(fieldValues(head, "trailer"), ["X-Sum"]);
    assertEquals(trailers, ["X-Sum: 1"]);
  }
  assertEquals(backend.connections.length, 1);
});

/** Requests that take no trailers, or can't get them. */
const WITHOUT = {
  "a client that says nothing": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "a client that takes codings only":
    "GET / HTTP/1.1\r\nHost: a\r\nTE: gzip, xtrailers\r\nConnection: TE\r\n\r\n",
  "an HTTP/1.0 client":
    "GET / HTTP/1.0\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n",
};

Deno.test("trailers and what announces them are dropped for everybody else", async (t) => {
  for (const [name, request] of Object.entries(WITHOUT)) {
    await t.step(name, async () => {
      await using backend = serveRaw([
        `${CHUNKED_OK}Trailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: secret\r\n\r\n`,
      ]);
      await using proxy = await startProxyWith({ backends: [backend.url] });
      using client = await RawClient.connect(proxy.port());
      await client.send(request);
      await client.until("the body", () => client.received.includes("ok"));
      await client.halfClose();
      await client.end();
      assert(!/x-t|secret/i.test(client.received), client.received);
      assertEquals(fieldValues(backend.requests[0]!.head, "te"), []);
    });
  }
});

Deno.test("a response that goes out with its length, or without a body, announces no trailers", async () => {
  for (const method of ["GET", "HEAD"]) {
    const { response } = await relayed(
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTrailer: X-T\r\n\r\n${
        method === "GET" ? "ok" : ""
      }`,
      GET_WITH.replace("GET", method),
      method,
    );
    assertEquals(fieldValues(response.head, "trailer"), []);
    assertEquals(response.trailers, []);
  }
});

/** Fields that nobody may learn behind a body (RFC 9110 §6.5.1). */
const NEVER = [
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  "Connection: close",
  "Keep-Alive: timeout=5",
  "Trailer: X-T",
  "TE: gzip",
  "Upgrade: websocket",
  "Host: evil",
  "Authorization: Basic eDp5",
  "Proxy-Authorization: Basic eDp5",
  "Cookie: a=1",
  "Set-Cookie: a=1",
  "Content-Encoding: gzip",
  "Content-Type: text/html",
  "Content-Range: bytes 0-1/2",
  "Cache-Control: public",
  "If-Match: x",
  "Max-Forwards: 1",
  "X-Forwarded-For: 6.6.6.6",
  "Forwarded: for=6.6.6.6",
  "Via: 1.1 evil",
  "Location: /evil",
  "Date: Thu, 01 Jan 1970 00:00:00 GMT",
];

Deno.test("fields that must come before a body are dropped behind it, the others stay", async () => {
  const names = NEVER.map((line) => line.slice(0, line.indexOf(":")));
  const { response } = await relayed(
    `${CHUNKED_OK}Trailer: ${names.join(",")}, X-T ,, b@d\r\n\r\n` +
      `2\r\nok\r\n0\r\n${NEVER.join("\r\n")}\r\nX-T: 1\r\nETag: "x"\r\n\r\n`,
    GET_WITH,
  );
  assertEquals(fieldValues(response.head, "trailer"), ["X-T"]);
  assertEquals(response.trailers, ["X-T: 1", 'ETag: "x"']);
});

Deno.test("trailers of more than headers or headerBytes end the exchange", async (t) => {
  const lines = (count: number, value: string) =>
    Array.from({ length: count }, (_, i) => `X-${i}: ${value}\r\n`).join("");
  const cases = {
    "too many": lines(30, "y"),
    "too large": lines(5, "y".repeat(600)),
  };
  for (const [name, trailers] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using backend = serveRaw();
      await using proxy = await startProxyWith({
        backends: [backend.url],
        listener: { limits: { headers: 20, headerBytes: "2KiB" } },
      });
      using client = await RawClient.connect(proxy.port());
      await client.send(
        `POST / HTTP/1.1\r\nHost: a\r\n${TAKES}` +
          `Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n${trailers}\r\n`,
      );
      await client.end();
      assertEquals(client.parse().map(({ status }) => status), [431]);
      assert(backend.requests.every(({ complete }) => !complete));
    });
  }
});

Deno.test("an upgrade asks for no trailers: what is switched to has none", async () => {
  const { request } = await relayed(
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n" +
      "Connection: TE, upgrade\r\nUpgrade: echo\r\n\r\n",
  );
  assertEquals(fieldValues(request.head, "connection"), ["upgrade"]);
  assertEquals(fieldValues(request.head, "te"), []);
});

Deno.test("node:http on both sides: trailers of request and response arrive", async () => {
  const seen = Promise.withResolvers<unknown>();
  const server = createServer((incoming, outgoing) => {
    incoming.resume().on("end", () => {
      seen.resolve([incoming.headers["trailer"], incoming.trailers]);
      outgoing.writeHead(200, { Trailer: "X-Sum" });
      outgoing.write("hello");
      outgoing.addTrailers({ "X-Sum": "5" });
      outgoing.end();
    });
  });
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  const { port } = server.address() as { port: number };
  try {
    await using proxy = await startProxyWith({
      backends: [`http://127.0.0.1:${port}`],
    });
    const answer = await new Promise<unknown>((resolve, reject) => {
      const outgoing = request({
        port: proxy.port(),
        method: "POST",
        agent: false,
        headers: { TE: "trailers", Connection: "close, TE", Trailer: "X-In" },
      }, (incoming) => {
        incoming.resume().on("end", () => {
          resolve([incoming.headers["trailer"], incoming.trailers]);
        });
      });
      outgoing.on("error", reject);
      outgoing.write("hi");
      outgoing.addTrailers({ "X-In": "2" });
      outgoing.end();
    });
    assertEquals(await seen.promise, ["X-In", { "x-in": "2" }]);
    assertEquals(answer, ["X-Sum", { "x-sum": "5" }]);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
