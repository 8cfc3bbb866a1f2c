/**
 * Attempts as handlers see and steer them, and how long views live.
 *
 * @module
 */
import type {
  Attempt,
  HttpRequest,
  HttpResponse,
} from "../../../core/plugin.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { getWith } from "../../support/get_with.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { serveNamed } from "../../support/named_backend.ts";
import { startProxyWith } from "../../support/proxy_with.ts";
import { serveScript } from "../../support/scripted_backend.ts";

Deno.test("each attempt gets a fresh copy of the request", async () => {
  await using a = serveNamed("a");
  await using b = serveNamed("b");
  const clients: (string | null)[] = [];
  const response = await getWith({
    forward: (request, { number }) => {
      // What the first attempt's handlers added is not here.
      assertEquals(request.headers.get("x-attempt"), null);
      assertEquals(request.path, "/original");
      request.headers.set("x-attempt", String(number));
      request.path = `/attempt-${number}`;
      // The client's request is another one.
      clients.push(request.transaction.request!.headers.get("x-attempt"));
    },
    readResponseHeader: (request, _response, { number }) => {
      assertEquals(request.headers.get("x-attempt"), String(number));
      return number === 1 ? { kind: "retry" } : undefined;
    },
    readResponse: (request) => {
      clients.push(request!.headers.get("x-attempt"), request!.path);
    },
  }, { path: "/original", backends: [a.url, b.url] });
  assertEquals(response.text, "b");
  for (const [i, { asked }] of [a, b].entries()) {
    assertEquals(asked.map(({ target }) => target), [`/attempt-${i + 1}`]);
    assertEquals(asked[0]!.headers.get("x-attempt"), String(i + 1));
  }
  assertEquals(clients, [null, null, null, "/original"]);
});

Deno.test("tags are the transaction's: attempts see and set the same", async () => {
  await using backend = serveNamed("a");
  let seen: readonly string[] | undefined;
  await getWith({
    foundProduct: ({ tags }) => {
      tags.set("t", ["early"]);
    },
    forward: ({ tags }) => {
      assertEquals(tags.get("t"), ["early"]);
      tags.set("t", ["late"]);
    },
    readResponse: (request) => {
      seen = request!.tags.get("t");
    },
  }, { backends: [backend.url] });
  assertEquals(seen, ["late"]);
});

for (const point of ["foundProduct", "afterLocation"] as const) {
  Deno.test(`request.cluster set at ${point} is where the request goes`, async () => {
    await using a = serveNamed("a");
    await using z = serveNamed("z");
    const response = await getWith({
      [point]: (request: HttpRequest) => {
        request.cluster = "other";
      },
    }, {
      backends: [a.url],
      products: [{ name: "p", default: true, rules: [{ cluster: "main" }] }],
      clusters: [{ name: "other", backends: [{ id: "z", url: z.url }] }],
    });
    assertEquals(response.text, "z");
  });
}

Deno.test("request.cluster set at foundProduct needs no rule", async () => {
  await using backend = serveNamed("a");
  const response = await getWith({
    foundProduct: (request) => {
      request.cluster = "main";
    },
  }, {
    backends: [backend.url],
    products: [{
      name: "p",
      default: true,
      rules: [{ when: 'req_path_in("/never", false)', cluster: "main" }],
    }],
  });
  assertEquals(response.text, "a");
});

Deno.test("request.cluster refuses an unknown one, and to be set when it is too late", async () => {
  await using backend = serveNamed("a");
  const response = await getWith({
    beforeLocation: (request) => {
      assertEquals(request.cluster, undefined);
      assertThrows(() => request.cluster = "main", RangeError);
    },
    afterLocation: (request) => {
      assertEquals(request.cluster, "main");
      assertThrows(() => request.cluster = "nowhere", RangeError);
      assertThrows(() => request.cluster = undefined, RangeError);
    },
    forward: (request) => {
      assertThrows(() => request.cluster = "main", RangeError);
    },
  }, { backends: [backend.url] });
  assertEquals(response.text, "a");
});

Deno.test("attempt.backend set at forward is who is asked", async () => {
  await using a = serveNamed("a");
  await using b = serveNamed("b");
  const response = await getWith({
    forward: (_request, attempt) => {
      assertEquals([attempt.cluster, attempt.subcluster, attempt.backend], [
        "main",
        "default",
        "a",
      ]);
      assertThrows(() => attempt.backend = "nobody", RangeError);
      attempt.backend = "b";
    },
    resolve: (_request, attempt) => {
      assertEquals(attempt.backend, "b");
      assertThrows(() => attempt.backend = "a", RangeError);
    },
  }, { backends: [a.url, b.url] });
  assertEquals(response.text, "b");
});

Deno.test("attempt.addresses set at resolve is where it goes, pooled connections to others stay", async () => {
  await using a = serveNamed("a");
  await using b = serveNamed("b");
  const { port } = new URL(b.url);
  await using proxy = await startProxyWith({
    backends: [a.url],
    plugins: [handlersPlugin("edits", {
      resolve: (request, attempt) => {
        if (request.path !== "/b") return;
        assertEquals(attempt.addresses, [{
          address: "127.0.0.1",
          port: Number(new URL(a.url).port),
        }]);
        attempt.addresses = [{ address: "127.0.0.1", port: Number(port) }];
      },
      sendRequestHeader: (request, { connection }) => {
        const to = request.path === "/b" ? b.url : a.url;
        assertEquals(connection?.remote.port, Number(new URL(to).port));
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  const texts: string[] = [];
  for (const path of ["/a", "/b", "/a", "/b"]) {
    texts.push((await client.get(path)).text);
  }
  assertEquals(texts, ["a", "b", "a", "b"]);
});

Deno.test("attempt.addresses without any: 502", async () => {
  await using backend = serveNamed("a");
  const response = await getWith({
    resolve: (_request, attempt) => {
      attempt.addresses = [];
    },
  }, { backends: [backend.url] });
  assertEquals(response.status, 502);
});

Deno.test("attempt.connection tells whether it was used before, also afterwards", async () => {
  await using backend = serveNamed("a");
  const seen: unknown[] = [];
  const note = ({ connection }: Attempt) => seen.push(connection?.reused);
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("reads", {
      forward: (_request, attempt) => void note(attempt),
      sendRequestHeader: (_request, attempt) => void note(attempt),
      transactionClose: ({ attempts }) => void attempts.forEach(note),
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.get();
  await client.get();
  assertEquals(seen, [undefined, false, false, undefined, true, true]);
});

// -------------------------------------------------------------- lives of views

Deno.test("headers can be read up to transactionClose, and throw afterwards", async () => {
  await using backend = serveNamed("a");
  const kept: (() => unknown)[] = [];
  const read: unknown[] = [];
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("keeps", {
      readResponseHeader: (request, response) => {
        kept.push(() => request.headers.get("host"));
        kept.push(() => response.headers.get("x-backend"));
      },
      requestFinish: (_request, response) => {
        read.push(...kept.map((each) => each()));
        kept.push(() => [...response!.headers]);
      },
      transactionClose: ({ request, response }) => {
        read.push(...kept.slice(0, 2).map((each) => each()));
        kept.push(() => request!.headers.has("host"));
        kept.push(() => response!.headers.getAll("x-backend"));
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.get("/", "one.example");
  assertEquals(read, ["one.example", "a", "one.example", "a"]);
  // The next request takes the bytes behind them.
  const first = kept.splice(0);
  await client.get("/", "two.example");
  assertEquals(first.length, 5);
  for (const each of first) assertThrows(each, Error, "is over");
});

Deno.test("headers of a response that a handler made throw afterwards, too", async () => {
  let kept: HttpResponse | undefined;
  await using proxy = await startProxyWith({
    plugins: [handlersPlugin("keeps", ({ verdict }) => ({
      foundProduct: () =>
        verdict.respond({ status: 200, headers: { "x-a": "1" } }),
      transactionClose: ({ response }) => {
        kept = response;
        assertEquals(response?.headers.get("x-a"), "1");
      },
    }))],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.get();
  await client.get();
  assertThrows(() => kept!.headers.get("x-a"), Error, "is over");
});

Deno.test("headers of a response whose body broke off can be read at requestFinish and transactionClose", async () => {
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.send(
      "HTTP/1.1 200 OK\r\nX-Backend: a\r\nContent-Length: 9\r\n\r\nhalf",
    );
  });
  const read: (string | null | undefined)[] = [];
  const closed = Promise.withResolvers<void>();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("reads", {
      requestFinish: (_request, response) => {
        read.push(response?.headers.get("x-backend"));
      },
      transactionClose: ({ response }) => {
        read.push(response?.headers.get("x-backend"));
        closed.resolve();
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await closed.promise;
  assertEquals(read, ["a", "a"]);
});
