/**
 * Transforms that do everything wrong that a transform can do, and a load that
 * mixes them with requests that nobody transforms.
 *
 * @module
 */
import type { BodyTransform, TransformOptions } from "../../core/plugin.ts";
import { assertEquals } from "./assert.ts";
import { bytesOf } from "./byte_streams.ts";
import { eventually } from "./eventually.ts";
import { HttpClient } from "./http_client.ts";
import { serveHttpBackend } from "./http_backend.ts";
import { handlersPlugin } from "./inline_plugin.ts";
import { startProxyWith } from "./proxy_with.ts";

type Bytes = Uint8Array;
type Controller = TransformStreamDefaultController<Bytes>;

/** One misuse. */
export interface Misuse {
  readonly what: string;
  readonly transform: BodyTransform;
  readonly options?: TransformOptions;
  /** It takes its time: to be used now and then. */
  readonly slow?: true;
}

function misuse(
  what: string,
  transformer: Transformer<Bytes, Bytes>,
  options?: TransformOptions,
): Misuse {
  return {
    what,
    transform: () => new TransformStream(transformer),
    ...(options !== undefined && { options }),
  };
}

/** What is not a transform, for who does not ask the compiler. */
function untyped(what: string, transform: unknown): Misuse {
  return { what, transform: transform as BodyTransform };
}

/** Gives whatever it likes. */
function giving(value: unknown): Transformer<Bytes, Bytes> {
  return { transform: (_, to) => to.enqueue(value as Bytes) };
}

const used = new TransformStream<Bytes, Bytes>();
used.readable.getReader();

const pass = (chunk: Bytes, to: Controller) => to.enqueue(chunk);

function fail(): never {
  throw new Error("hostile");
}

/** Every misuse that is known. */
export const MISUSES: readonly Misuse[] = [
  misuse("throws at the first chunk", { transform: fail }),
  misuse("throws at the end", { transform: pass, flush: fail }),
  misuse("rejects", { transform: () => Promise.reject(new Error("hostile")) }),
  misuse("fails in start", { start: (to) => to.error(new Error("hostile")) }),
  misuse("rejects in start", { start: () => Promise.reject(new Error("no")) }),
  misuse("fails behind a chunk", {
    transform(chunk, to) {
      to.enqueue(chunk);
      to.error(new Error("hostile"));
    },
  }),
  misuse("throws what is no error", {
    transform: () => {
      throw null;
    },
  }),
  misuse("gives text", giving("HTTP/1.1 200 OK\r\n\r\n")),
  misuse("gives a number", giving(7)),
  misuse("gives null", giving(null)),
  misuse("gives an ArrayBuffer", giving(new ArrayBuffer(8))),
  misuse("gives other numbers", giving(new Float64Array(4))),
  misuse("gives nothing", { transform: () => {} }),
  misuse("gives only empty chunks", {
    transform: (_, to) => {
      for (let i = 0; i < 1_000; i++) to.enqueue(new Uint8Array(0));
    },
  }),
  misuse(
    "gives a framed response",
    giving(bytesOf(
      "0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    )),
  ),
  misuse(
    "gives a framed request",
    giving(bytesOf(
      "0\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n",
    )),
  ),
  misuse("ends at the first chunk", { transform: (_, to) => to.terminate() }),
  misuse("ends before it", { start: (to) => to.terminate() }),
  misuse("gives more than it declared", { transform: pass }, { length: 3 }),
  misuse("gives less than it declared", { transform: pass }, { length: 999 }),
  misuse("gives something for nothing", { transform: pass }, { length: 0 }),
  misuse("gives nothing for something", { transform: () => {} }, { length: 5 }),
  misuse("declares more than there is", { transform: pass }, {
    length: Number.MAX_SAFE_INTEGER,
  }),
  misuse("changes what it gave", {
    transform(chunk, to) {
      to.enqueue(chunk);
      chunk.fill(0x58);
    },
  }),
  misuse("takes what it gave away", {
    transform(chunk, to) {
      to.enqueue(chunk);
      (chunk.buffer as ArrayBuffer).transfer();
    },
  }),
  misuse("writes before and behind its chunk", {
    transform(chunk, to) {
      new Uint8Array(chunk.buffer).fill(0x58);
      to.enqueue(chunk);
    },
  }),
  misuse("gives a large chunk", giving(new Uint8Array(1 << 17).fill(0x58))),
  misuse("gives many small ones", {
    transform(_, to) {
      for (let i = 0; i < 500; i++) to.enqueue(new Uint8Array([0x58]));
    },
  }),
  misuse("goes on when it is over", {
    transform(chunk, to) {
      to.enqueue(chunk);
      setTimeout(() => {
        try {
          to.enqueue(chunk);
        } catch {
          // It is over: that is told to whoever tries.
        }
      }, 5);
    },
  }),
  untyped("is a function that throws", fail),
  untyped("is a function that gives nothing", () => undefined),
  untyped("is a function that gives a promise", () => Promise.resolve()),
  untyped("is a function that gives an object", () => ({})),
  untyped("has no streams", () => ({ readable: 1, writable: 2 })),
  untyped("is in use", () => used),
  untyped("is in use for others", used),
  untyped("is one stream for all", new TransformStream<Bytes, Bytes>()),
  untyped("has a readable that is over", () => ({
    writable: new WritableStream(),
    readable: new ReadableStream({ start: (to) => to.close() }),
  })),
  untyped("has a readable that fails", () => ({
    writable: new WritableStream(),
    readable: new ReadableStream({ pull: fail }),
  })),
  untyped("has a writable that fails", () => ({
    writable: new WritableStream({ write: fail }),
    readable: new ReadableStream({ start: (to) => to.close() }),
  })),
  untyped("takes nothing and gives its own", () => ({
    writable: new WritableStream({ write: () => new Promise(() => {}) }),
    readable: new ReadableStream({
      start(to) {
        to.enqueue(bytesOf("own"));
        to.close();
      },
    }),
  })),
  {
    what: "stands still",
    transform: () =>
      new TransformStream({ transform: () => new Promise(() => {}) }),
    slow: true,
  },
  {
    what: "never begins",
    transform: () =>
      new TransformStream({ start: () => new Promise(() => {}) }),
    slow: true,
  },
  {
    what: "gives nothing without end",
    transform: () => ({
      writable: new WritableStream<Bytes>(),
      readable: new ReadableStream<Bytes>({
        pull: (to) => to.enqueue(new Uint8Array(0)),
      }),
    }),
    slow: true,
  },
];

/** What came of a load. */
export interface HostileResult {
  readonly requests: number;
  /** Requests that nobody transformed, each answered rightly. */
  readonly plain: number;
  /** Connections that a misuse ended. */
  readonly broken: number;
}

/**
 * Sends so many requests over eight kept connections, half of them through one
 * to three misuses of the request's body, the response's or both. Rejects where
 * any other request or response has a wrong byte, or where something stays open.
 */
export async function runHostile(requests: number): Promise<HostileResult> {
  const wrong: string[] = [];
  await using backend = serveHttpBackend(async (request) => {
    const { pathname } = new URL(request.url);
    const kind = request.headers.get("x-kind");
    if (pathname === "/evil") wrong.push("a smuggled request");
    try {
      const body = await request.text();
      const expected = request.method === "PUT" ? `body of ${pathname}` : "";
      if (kind === null && body !== expected) wrong.push(`${pathname} ${body}`);
    } catch {
      // One that was broken off.
      if (kind === null) wrong.push(`${pathname} was broken off`);
    }
    return new Response(`good ${pathname}`);
  });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: { retries: { max: 0 }, breaker: undefined },
    plugins: [{
      ...handlersPlugin("hostile", {
        foundProduct: (request) => {
          const kinds = request.headers.get("x-kind");
          if (kinds === null) return;
          for (const kind of kinds.split(" ")) {
            const { transform, options } = MISUSES[Number(kind.slice(1))]!;
            const { transaction } = request;
            if (kind[0] === "q") {
              transaction.transformRequest(transform, options);
            } else transaction.transformResponse(transform, options);
          }
        },
      }),
      timeout: "200ms",
    }],
  });
  let plain = 0;
  let broken = 0;
  let seed = 1;
  /** The same numbers each time. */
  const random = (below: number) => {
    seed = Math.imul(seed, 1_103_515_245) + 12_345 & 0x7fffffff;
    return (seed >>> 8) % below;
  };
  const hostileKinds = () =>
    Array.from({ length: 1 + random(3) }, () => {
      for (;;) {
        const kind = random(MISUSES.length);
        if (MISUSES[kind]!.slow !== true || random(40) === 0) {
          return `${random(2) === 0 ? "q" : "p"}${kind}`;
        }
      }
    });
  const lane = async (number: number) => {
    let client = await HttpClient.connect(proxy.port());
    for (let i = number; i < requests; i += 8) {
      const path = `/${i}`;
      const kinds = random(2) === 0 ? [] : hostileKinds();
      const method = ["GET", "PUT", "PUT", "HEAD"][random(4)]!;
      const body = method === "PUT" ? `body of ${path}` : "";
      try {
        await client.send([
          `${method} ${path} HTTP/1.1`,
          "Host: x",
          ...body === "" ? [] : [`Content-Length: ${body.length}`],
          ...kinds.length === 0 ? [] : [`X-Kind: ${kinds.join(" ")}`],
          "",
          body,
        ].join("\r\n"));
        const head = method === "HEAD";
        const { status, text } = await client.response({ head });
        if (kinds.length === 0) {
          assertEquals([status, text], [200, head ? "" : `good ${path}`]);
          plain++;
        }
      } catch (thrown) {
        if (kinds.length === 0) throw thrown;
        broken++;
        client.close();
        client = await HttpClient.connect(proxy.port());
      }
    }
    client.close();
  };
  const lanes = await Promise.allSettled(
    Array.from({ length: 8 }, (_, number) => lane(number)),
  );
  for (const each of lanes) {
    if (each.status === "rejected") throw each.reason;
  }
  assertEquals(wrong, []);
  await eventually(
    "the end of every session",
    async () => (await proxy.report()).sessions.length === 0,
  );
  return { requests, plain, broken };
}
