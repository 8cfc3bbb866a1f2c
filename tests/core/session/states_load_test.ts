/**
 * The table of states under load: whatever handlers, backends and clients do at
 * once, no transaction makes a move that is not in it, each comes to its end,
 * and every move of the table is made.
 *
 * @module
 */
import type { PointName } from "../../../core/callback_points.ts";
import type { Handlers, PluginContext } from "../../../core/plugin.ts";
import {
  type State,
  STATES,
  TRANSACTION_STATES,
} from "../../../core/session/states.ts";
import { Transaction } from "../../../core/session/transaction.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { bytesOf } from "../../support/byte_streams.ts";
import { eventually, inTime } from "../../support/eventually.ts";
import { HttpClient } from "../../support/http_client.ts";
import { FakeDns } from "../../support/fake_dns.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { startProxyWith } from "../../support/proxy_with.ts";
import { ResettableConn } from "../../support/resettable_conn.ts";
import { serveScript } from "../../support/scripted_backend.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../../support/websocket_backend.ts";

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Watches every transaction's moves until it is disposed of. */
function watchMoves() {
  const { move } = Transaction.prototype;
  const made = new Map<string, number>();
  const refused: string[] = [];
  const open = new Set<Transaction>();
  Transaction.prototype.move = function (this: Transaction, to: State): void {
    const text = `${this.state.name} > ${to.name}`;
    open.add(this);
    try {
      move.call(this, to);
    } catch (thrown) {
      refused.push(text);
      throw thrown;
    }
    made.set(text, (made.get(text) ?? 0) + 1);
    if (to === STATES.closed) open.delete(this);
  };
  return {
    made,
    refused,
    open,
    [Symbol.dispose]: () => void (Transaction.prototype.move = move),
  };
}

/** Every move of the table. */
function movesOfTable(): string[] {
  return TRANSACTION_STATES.flatMap(({ state, next, otherwise }) =>
    Object.keys({ ...next, ...otherwise })
      .map((to) => `${state} > ${to}`)
  ).sort();
}

/** Points whose handlers get the request first. */
const ASKED = [
  "readRequestHeader",
  "beforeLocation",
  "foundProduct",
  "afterLocation",
  "requestBuffered",
  "readCacheHeader",
  "cacheLookupComplete",
  "forward",
  "resolve",
  "sendRequestHeader",
  "readResponseHeader",
  "readResponse",
  "sendResponseHeader",
  "requestFinish",
] as const satisfies readonly PointName[];

/** Does at a point what a request's `x-do` says: `POINT WHAT`. */
function obedient({ verdict }: PluginContext<unknown>): Handlers {
  const entries = ASKED.map((point) => [
    point,
    (request: Pick<Request, "headers" | "signal"> | undefined) => {
      const [where, what] = request?.headers.get("x-do")?.split(" ") ?? [];
      if (where !== point) return undefined;
      switch (what) {
        case "respond":
          return verdict.respond({ status: 418 });
        case "close":
          return verdict.close;
        case "retry":
          return verdict.retry;
        case "wait":
          return pause(20);
        case "stay":
          return new Promise<void>((resolve) =>
            request!.signal.addEventListener("abort", () => resolve())
          );
        default:
          throw new Error("as it was told");
      }
    },
  ]);
  let begun = 0;
  return {
    ...Object.fromEntries(entries),
    selectAlternate: (request) => {
      if (request.headers.get("x-do") !== "selectAlternate throw") return 1;
      throw new Error("as it was told");
    },
    transactionStart: () => ++begun % 97 === 0 ? verdict.close : undefined,
  } as Handlers;
}

const CLUSTERS = [
  "main",
  "whole",
  "cached",
  "sick",
  "full",
  "none",
  "nowhere",
];

/** What clients ask for: `x-do` by clusters, paths that rules answer, heads that don't parse. */
function requests(): string[] {
  const request = (
    path: string,
    method = "GET",
    fields: readonly string[] = [],
  ) => {
    const body = method === "GET" ? "" : "body";
    const length = body === "" ? [] : ["Content-Length: 4"];
    return [
      `${method} ${path} HTTP/1.1`,
      "Host: x",
      ...length,
      ...fields,
      "",
      body,
    ].join("\r\n");
  };
  const told = ASKED.flatMap((point) =>
    ["respond", "close", "throw", "wait"].flatMap((what) =>
      ["/main", "/whole"].map((path) =>
        request(path, "POST", [`x-do: ${point} ${what}`])
      )
    )
  );
  return [
    ...told,
    ...CLUSTERS.flatMap((name) => [
      request(`/${name}`),
      request(`/${name}`, "PUT"),
    ]),
    request("/main", "GET", ["x-do: readResponseHeader retry"]),
    ...[
      "selectAlternate throw",
      "readCacheHeader throw",
      "readCacheHeader wait",
      "readCacheHeader wait",
    ].map((what) => request("/cached", "GET", [`x-do: ${what}`])),
    ...Array.from({ length: 4 }, () => [
      request("/cached/slow", "GET", ["x-do: forward close"]),
      request("/cached/slow"),
      request("/cached/slow"),
    ]).flat(),
    ...Array.from({ length: 6 }, () => request("/full")),
    request("/main/hint"),
    request("/main/dies", "PUT"),
    request("/main/dies", "POST"),
    request("/main", "GET", ["Connection: upgrade", "Upgrade: echo"]),
    request("/rule"),
    request("/unknown"),
    request("/main").replace("Host: x", "Host: nobody"),
    "BAD\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
  ];
}

/** Sends one request on a connection of its own and leaves it, sooner or later. */
async function ask(port: number, text: string, seed: number): Promise<void> {
  const conn = await ResettableConn.connect(port);
  const client = new HttpClient(conn);
  try {
    await client.send(text);
    // One in three is gone before it can have an answer, one in three half-way.
    if (seed % 3 < 2) {
      await pause(seed % 3 * (seed % 19));
      return await conn.reset();
    }
    await inTime("an answer or an end", conn.read(new Uint8Array(4_096)));
  } catch {
    // Whatever comes of it: the moves are what is looked at.
  } finally {
    client.close();
  }
}

Deno.test("every move under load is one of the table, every transaction ends, and every move of the table is made", async () => {
  using watched = watchMoves();
  const held: string[] = [];
  const gate = Promise.withResolvers<void>();
  await using well = serveScript(async (connection) => {
    for (;;) {
      const request = await connection.request();
      if (request === undefined) return;
      const { target, headers } = request;
      await connection.body(Number(headers.get("content-length") ?? 0));
      if (target.endsWith("dies")) return;
      if (target.endsWith("hint")) {
        await connection.send("HTTP/1.1 103 Early Hints\r\n\r\n");
      }
      if (headers.has("upgrade")) {
        return await connection.send(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
        );
      }
      if (target.endsWith("/held")) {
        held.push(target);
        await gate.promise;
      }
      const slow = target.startsWith("/full") || target.endsWith("slow");
      await pause(slow ? 25 : 1);
      if (target.startsWith("/cached")) {
        // What is slow is asked for each time.
        const age = slow ? 0 : 60;
        await connection.send(
          `HTTP/1.1 200 OK\r\nCache-Control: max-age=${age}\r\nETag: "1"\r\n` +
            "Content-Length: 4\r\n\r\nwell",
        );
      } else {
        await connection.respond(200, "well");
      }
    }
  });
  await using sick = serveScript(async (connection) => {
    await connection.request();
    await connection.respond(503, "sick");
  });
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  const dns = new FakeDns();
  dns.fail("gone.test");
  dns.set("well.test", ["127.0.0.1"]);
  let ids = 0;
  const backends = (...urls: string[]) =>
    urls.map((url) => ({ id: `backend-${ids++}`, url }));
  await using proxy = await startProxyWith({
    backends: [well.url, well.url.replace("127.0.0.1", "well.test")],
    plugins: [handlersPlugin("obedient", obedient)],
    listener: { timeouts: { body: "1s" } },
    cache: {},
    products: [{
      name: "all",
      hosts: ["x", "127.0.0.1"],
      rules: [
        { when: 'req_path_in("/rule", false)', respond: { status: 200 } },
        ...[...CLUSTERS, "sockets"].map((cluster) => ({
          when: `req_path_prefix_in("/${cluster}", false)`,
          cluster,
        })),
      ],
    }],
    clusters: [
      {
        name: "whole",
        backends: backends(well.url),
        requestBuffer: { bytes: "1KiB" },
      },
      { name: "cached", backends: backends(well.url) },
      {
        name: "sick",
        backends: backends(
          "http://127.0.0.77:9",
          "http://gone.test",
          sick.url,
          well.url,
        ),
        retries: { causes: ["connect", "503"], budget: "100%" },
      },
      {
        name: "full",
        backends: [{ id: "full", url: well.url, maxConnections: 1 }],
        queue: { size: 2, timeout: "10s" },
      },
      { name: "none", backends: [] },
      { name: "nowhere", backends: backends("http://gone.test") },
      {
        name: "sockets",
        backends: [
          { id: "ws-a", url: a.url, maxConnections: 1 },
          { id: "ws-b", url: b.url, maxConnections: 1 },
        ],
        queue: { size: 3, timeout: "100ms" },
        websocket: { hold: "20s", abnormalCodes: [4000] },
      },
    ],
  }, { lookUp: dns.lookUp });
  const port = proxy.port();

  // Two sessions that lose their backends: one that refuses for a while, the
  // other has no slot for both.
  const sockets = [
    await WebSocketClient.open(proxy.url("/sockets")),
    await WebSocketClient.open(proxy.url("/sockets")),
  ];
  let pulls = 0;
  const pulling = setInterval(() => {
    pulls++;
    const state = pulls % 10 < 5 ? "ready" : "disabled";
    a.refuse = pulls % 2 === 0
      ? undefined
      : () => new Response(null, { status: 503 });
    for (const id of ["ws-a", "ws-b"]) {
      proxy.supervisor.changeBackend(id, { state });
    }
    for (const { socket } of [...a.connections, ...b.connections]) {
      if (socket.readyState === WebSocket.OPEN) socket.close(4_000);
    }
  }, 200);

  const texts = requests();
  const table = movesOfTable();
  let round = 0;
  const run = async (lane: number) => {
    for (let i = lane; i < texts.length; i += 24) {
      await ask(port, texts[i]!, i + round);
    }
  };
  // A client that resets while it waits is noticed within some sweeps only.
  const get = (path: string, fields = "") =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
  const leaveIn = async (wanted: string, text: string) => {
    const conn = await ResettableConn.connect(port);
    await conn.write(bytesOf(text));
    await eventually(
      `a request in ${wanted}`,
      async () =>
        (await proxy.report()).sessions.some(({ state }) => state === wanted),
    );
    await conn.reset();
    await eventually(
      `that it leaves ${wanted}`,
      () => watched.made.has(`${wanted} > finished`),
    );
  };
  const first = ["/full/held", "/cached/held"].map((path) =>
    ask(port, get(path), 2)
  );
  await eventually("both at the backend", () => held.length === 2);
  await leaveIn("queue", get("/full"));
  await leaveIn("select", get("/cached/held"));
  await ask(port, get("/cached"), 2);
  await leaveIn("stored", get("/cached", "x-do: readCacheHeader stay\r\n"));
  gate.resolve();
  await Promise.all(first);
  // What depends on who is first may need more rounds.
  while (round < 6 || round < 400 && watched.made.size < table.length) {
    await Promise.all(Array.from({ length: 24 }, (_, lane) => run(lane)));
    round++;
    // On a slow machine a session may not live for as long as it is wanted here.
    sockets.forEach(({ socket }, i) => {
      if (socket.readyState === WebSocket.CLOSED) {
        sockets[i] = new WebSocketClient(proxy.url("/sockets"));
      }
    });
  }
  clearInterval(pulling);
  for (const client of sockets) client.socket.close();
  await Promise.all(sockets.map(({ closed }) => closed));
  await eventually(
    "the end of every transaction",
    () => watched.open.size === 0,
  );

  assertEquals(watched.refused, []);
  console.log(
    `${
      [...watched.made.values()].reduce((sum, count) => sum + count, 0)
    } moves`,
  );
  assertEquals([...watched.made.keys()].sort(), movesOfTable());
  assert(watched.made.get("finished > closed")! > texts.length * 3);
});

Deno.test("nothing but move changes a transaction's state", () => {
  const { set } = Object.getOwnPropertyDescriptor(
    Transaction.prototype,
    "state",
  )!;
  assertEquals(set, undefined);
  assertThrows(
    () => Object.assign(Object.create(Transaction.prototype), { state: 1 }),
    TypeError,
  );
});
