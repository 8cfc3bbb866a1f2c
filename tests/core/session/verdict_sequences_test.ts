/**
 * Every legal verdict at every point that fires: the sequence of points from
 * there on, what the client gets, whether the connection stays, and that the
 * rest of that point's list is skipped. Generated from the table.
 *
 * @module
 */
import {
  CALLBACK_POINTS,
  type PointName,
  type VerdictKind,
} from "../../../core/callback_points.ts";
import type {
  HttpRequest,
  Transaction,
  Verdicts,
} from "../../../core/plugin.ts";
import { verdicts } from "../../../core/verdict.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { untypedPlugin } from "../../support/inline_plugin.ts";
import { serveEach } from "../../support/scripted_backend.ts";
import { tracedProxy } from "../../support/traced_proxy.ts";
import {
  answered,
  attempt,
  delivered,
  Tracer,
  unparsed,
} from "../../support/tracer.ts";

/** Points that need TLS, buffering or a cache. */
const NOT_FIRING: readonly PointName[] = [
  "handshake",
  "requestBuffered",
  "selectAlternate",
  "readCacheHeader",
];

/** The events of a plain GET that a backend answers, with its connection. */
const PLAIN: readonly string[] = ["accept", ...answered(200), "finish"];

/** A verdict and what comes of it, wherever it is legal. */
interface VerdictCase {
  readonly what: string;
  readonly kind: VerdictKind;
  readonly make: (verdict: Verdicts) => unknown;
  /** What the client gets; undefined for the response that was there, `nothing` for none. */
  readonly gets:
    | { readonly status: number; readonly text: string }
    | "nothing"
    | undefined;
  readonly closes: boolean;
}

const RESPOND: VerdictCase = {
  what: "respond",
  kind: "respond",
  make: (verdict) => verdict.respond({ status: 418, body: "teapot" }),
  gets: { status: 418, text: "teapot" },
  closes: false,
};
const REDIRECT: VerdictCase = {
  what: "redirect",
  kind: "redirect",
  make: (verdict) => verdict.redirect("/other", 307),
  gets: { status: 307, text: "See /other\n" },
  closes: false,
};
const FINISH_WITH: VerdictCase = {
  what: "finish with a response",
  kind: "finish",
  make: (verdict) => verdict.finish({ status: 429, body: "enough" }),
  gets: { status: 429, text: "enough" },
  closes: true,
};
const FINISH: VerdictCase = {
  what: "finish",
  kind: "finish",
  make: (verdict) => verdict.finish(),
  gets: undefined,
  closes: true,
};
const CLOSE: VerdictCase = {
  what: "close",
  kind: "close",
  make: (verdict) => verdict.close,
  gets: "nothing",
  closes: true,
};

/** The legal verdicts of a point, by its row; retry has tests of its own. */
function casesOf(row: (typeof CALLBACK_POINTS)[number]): VerdictCase[] {
  const kinds: readonly VerdictKind[] = row.verdicts;
  const finishes = {
    must: [FINISH_WITH],
    may: [FINISH_WITH, FINISH],
    none: [FINISH],
  }[row.finishResponse];
  return [RESPOND, REDIRECT, ...finishes, CLOSE].filter(({ kind }) =>
    kinds.includes(kind)
  );
}

/** The name of the point that an event is of. */
function pointOf(event: string): string {
  return event.split(" ")[0]!;
}

/** What fires after the verdict, up to the transaction's end. */
function eventsAfter(point: PointName, { gets }: VerdictCase): string[] {
  if (point === "accept") return [];
  if (point === "requestFinish") return ["transactionClose 200"];
  const late = point === "readResponse" || point === "sendResponseHeader";
  if (gets === "nothing") {
    return [`requestFinish ${late ? 200 : "none"}`, "transactionClose 0"];
  }
  const status = gets === undefined ? 200 : gets.status;
  // At readResponse the response is replaced, and readResponse does not run again.
  return late ? unparsed(status) : delivered(status);
}

/** A handler that answers the first time it is called. */
function once(verdict: unknown) {
  let asked = false;
  return () => {
    if (asked) return undefined;
    asked = true;
    return verdict;
  };
}

for (const row of CALLBACK_POINTS) {
  if (NOT_FIRING.includes(row.name)) continue;
  for (const each of casesOf(row)) {
    Deno.test(`${each.what} at ${row.name}`, async () => {
      await using backend = serveEach((connection) =>
        connection.respond(200, "from the backend")
      );
      const after = new Tracer({ name: "after", order: 1_000 });
      await using t = await tracedProxy({
        backends: [backend.url],
        plugins: [
          untypedPlugin("judge", { [row.name]: once(each.make(verdicts)) }),
          after.plugin,
        ],
      });
      const { client } = t;

      // What the client gets.
      await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      if (each.gets === "nothing") {
        assert(await client.ended());
      } else {
        const { status, text } = each.gets ??
          { status: 200, text: "from the backend" };
        const response = await client.response();
        assertEquals([response.status, response.text], [status, text]);
        const says = response.headers.get("connection");
        // At requestFinish the head is out already.
        const closes = each.closes && row.name !== "requestFinish";
        assertEquals(says, closes ? "close" : null);
        if (each.closes) await client.end();
        else await t.tracer.seen(`transactionClose ${status}`);
      }

      // The sequence.
      const before = PLAIN.slice(
        0,
        PLAIN.findIndex((event) => pointOf(event) === row.name) + 1,
      );
      const first = [...before, ...eventsAfter(row.name, each)];
      if (!each.closes) {
        assertEquals(t.tracer.take(), first);
        assertEquals((await client.get("/next")).text, "from the backend");
        assertEquals(await t.finished(), [...answered(200), "finish"]);
      } else {
        assertEquals(await t.finished(), [...first, "finish"]);
      }

      // The rest of the point's list.
      const skipped = first.filter((event) => pointOf(event) !== row.name);
      assertEquals(after.events.slice(0, skipped.length), skipped);
    });
  }
}

Deno.test("points that need TLS, buffering or a cache do not fire", async () => {
  await using backend = serveEach((connection) => connection.respond(200));
  await using t = await tracedProxy({ backends: [backend.url] });
  await t.client.get();
  const fired = new Set((await t.finished()).map(pointOf));
  assertEquals(
    CALLBACK_POINTS.map(({ name }) => name).filter((name) => !fired.has(name)),
    NOT_FIRING.slice(),
  );
});

// ---------------------------------------------------------------------- retry

/** Answers retry to the first final response of each transaction. */
function retrying() {
  return untypedPlugin("judge", {
    readResponseHeader: (
      _request: HttpRequest,
      response: { readonly status: number },
      attempt: { readonly number: number },
    ) =>
      attempt.number === 1 &&
        (response.status >= 200 || response.status === 101)
        ? verdicts.retry
        : undefined,
  });
}

function serveNamed(name: string) {
  return serveEach((connection) => connection.respond(200, name));
}

Deno.test("retry at readResponseHeader: a new attempt on another backend", async () => {
  await using a = serveNamed("a");
  await using b = serveNamed("b");
  const after = new Tracer({ name: "after", order: 1_000 });
  const backends: string[] = [];
  await using t = await tracedProxy({
    backends: [a.url, b.url],
    plugins: [
      retrying(),
      after.plugin,
      untypedPlugin("backends", {
        transactionClose: (transaction: Transaction) => {
          backends.push(
            ...transaction.attempts.map(({ backend, status }) =>
              `${backend} ${status}`
            ),
          );
        },
      }),
    ],
  });
  assertEquals((await t.client.get()).text, "b");
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...PLAIN.slice(2, 7),
    ...attempt(1),
    "readResponseHeader 1:200",
    ...attempt(2),
    "readResponseHeader 2:200",
    ...delivered(200),
    "finish",
  ]);
  assertEquals(backends, ["a 200", "b 200"]);
  assert(!after.events.includes("readResponseHeader 1:200"));
});

for (
  const { why, request, only } of [
    {
      why: "no other backend is left",
      request: "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      only: true,
    },
    {
      why: "the method is not safe to repeat",
      request: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
      only: false,
    },
    {
      why: "the body is longer than what is kept",
      request: `PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${
        (64 << 10) + 1
      }\r\n\r\n${"x".repeat((64 << 10) + 1)}`,
      only: false,
    },
  ]
) {
  Deno.test(`retry is refused where ${why}: the response is used as it is`, async () => {
    const serve = (name: string) =>
      serveEach(async (connection, { headers }) => {
        await connection.body(Number(headers.get("content-length") ?? 0));
        await connection.respond(200, name);
      });
    await using a = serve("a");
    await using b = serve("b");
    await using t = await tracedProxy({
      backends: only ? [a.url] : [a.url, b.url],
      plugins: [retrying()],
    });
    await t.client.send(request);
    assertEquals((await t.client.response()).text, "a");
    assertEquals(await t.finished(), PLAIN.slice());
  });
}

Deno.test("retry is refused once the attempts are used up", async () => {
  await using a = serveNamed("a");
  await using b = serveNamed("b");
  await using c = serveNamed("c");
  await using t = await tracedProxy({
    backends: [a.url, b.url, c.url],
    cluster: { retries: { max: 1 } },
    plugins: [untypedPlugin("judge", {
      readResponseHeader: () => verdicts.retry,
    })],
  });
  assertEquals((await t.client.get()).text, "b");
  assertEquals((await t.finished()).filter((event) => /^forward/.test(event)), [
    "forward 1",
    "forward 2",
  ]);
});

Deno.test("retry is refused for a 101", async () => {
  await using a = serveEach((connection) =>
    connection.send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
    )
  );
  await using b = serveNamed("b");
  await using t = await tracedProxy({
    backends: [a.url, b.url],
    plugins: [retrying()],
  });
  await t.client.send(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
  );
  assertEquals((await t.client.response()).status, 101);
  await t.client.conn.closeWrite();
  assertEquals(await t.finished(), ["accept", ...answered(101), "finish"]);
});
