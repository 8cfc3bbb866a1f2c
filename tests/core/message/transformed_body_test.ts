/**
 * Bodies behind transforms: who is read, until when, and who is blamed.
 *
 * @module
 */
import { ProxyError } from "../../../core/errors.ts";
import {
  TransformedBody,
  type TransformStage,
} from "../../../core/message/transformed_body.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { PiecesBody } from "../../support/pieces_body.ts";

/** Counts how often it is asked. */
class CountingBody extends PiecesBody {
  asked = 0;
  gate: Promise<void> | undefined;

  override advance(): boolean {
    this.asked++;
    return super.advance();
  }

  override async next(): Promise<boolean> {
    this.asked++;
    await this.gate;
    return await super.next();
  }
}

const PIECES = Array.from({ length: 5 }, (_, i) => ({
  bytes: [i],
  atHand: false,
}));

function behind(
  source: CountingBody,
  streams: readonly TransformStream<Uint8Array, Uint8Array>[],
  length?: number,
) {
  const clock = new FakeClock();
  const blamed: string[] = [];
  const stages = streams.map((stream, i): TransformStage => ({
    stream,
    timeout: 1_000,
    failed: ({ message }) => void blamed.push(`${i} ${message}`),
  }));
  const body = new TransformedBody(source, {
    stages,
    length,
    deadlines: new Deadlines(clock),
  });
  return { body, blamed, clock };
}

async function readAll(body: TransformedBody): Promise<number[]> {
  const bytes: number[] = [];
  while (body.advance() || await body.next()) {
    bytes.push(...body.bytes.subarray(body.start, body.end));
    if (body.last) break;
  }
  return bytes;
}

const ticks = () => new Promise((resolve) => setTimeout(resolve, 5));

Deno.test("TransformedBody: a transform that ends early while it takes more does not touch the source any more", async () => {
  const source = new CountingBody(PIECES, true);
  const gate = Promise.withResolvers<void>();
  const { body } = behind(source, [{
    writable: new WritableStream({ write: () => gate.promise }),
    readable: new ReadableStream({ start: (to) => to.close() }),
  }]);
  assertEquals(await readAll(body), []);
  assert(source.cancelled);
  await body.released();
  const { asked } = source;
  gate.resolve();
  await ticks();
  assertEquals(source.asked, asked);
});

Deno.test("TransformedBody.released waits for a read of the source that is under way", async () => {
  const source = new CountingBody(PIECES, true);
  const gate = Promise.withResolvers<void>();
  source.gate = gate.promise;
  const { body } = behind(source, [new TransformStream()]);
  const reading = body.next();
  await eventually("a read of the source", () => source.asked > 1);
  let released = false;
  const done = body.released().then(() => released = true);
  assertEquals(await reading, false);
  await ticks();
  assert(!released && source.cancelled);
  gate.resolve();
  await done;
  assertEquals(await body.next(), false);
});

Deno.test("TransformedBody.cancel: nobody is blamed for what a reader gives up", async () => {
  const source = new CountingBody(PIECES, true);
  const { body, blamed } = behind(source, [new TransformStream()], 5);
  assert(await body.next());
  const reading = body.next();
  body.cancel();
  await reading;
  assertEquals(await body.next(), false);
  assertEquals(blamed, []);
});

Deno.test("TransformedBody: whoever gives nothing without end stands still, and lets others work", async () => {
  const source = new CountingBody(PIECES, true);
  const { body, blamed, clock } = behind(source, [{
    writable: new WritableStream(),
    readable: new ReadableStream({
      pull: (to) => to.enqueue(new Uint8Array(0)),
    }),
  }]);
  const failing = assertRejects(() => body.next(), ProxyError, "stood still");
  await ticks();
  clock.advance(2_000);
  assertEquals((await failing).code, "handler_timeout");
  assertEquals([blamed.length, clock.pending], [1, 0]);
});

function fail(): never {
  throw new Error("no");
}

/** Stages that fail, each in its own way. */
const FAILING: Record<string, () => TransformStream<Uint8Array, Uint8Array>> = {
  "throws": () => new TransformStream({ transform: fail }),
  "throws at its end": () => new TransformStream({ flush: fail }),
  "fails in start": () =>
    new TransformStream({ start: (to) => to.error(new Error("no")) }),
  "fails when it is read": () => ({
    writable: new WritableStream(),
    readable: new ReadableStream({ pull: fail }, { highWaterMark: 0 }),
  }),
  "fails when it is written to": () => ({
    writable: new WritableStream({ write: fail }),
    readable: new ReadableStream({
      pull: () => Promise.reject(new Error("no")),
    }, { highWaterMark: 0 }),
  }),
};

for (const [what, make] of Object.entries(FAILING)) {
  for (const at of [0, 1, 2]) {
    Deno.test(`TransformedBody: stage ${at} of 3 ${what}: it is blamed, nobody else`, async () => {
      const source = new CountingBody(PIECES, true);
      const streams = [0, 1, 2].map((i) =>
        i === at ? make() : new TransformStream<Uint8Array, Uint8Array>()
      );
      const { body, blamed } = behind(source, streams);
      await assertRejects(() => readAll(body), ProxyError, "no");
      assertEquals(blamed, [`${at} A transform failed: no`]);
    });
  }
}

Deno.test("TransformedBody: a failure of the source is nobody's of the chain", async () => {
  const source = new CountingBody(PIECES, true);
  source.gate = Promise.reject(new ProxyError("response_truncated", "early"));
  source.gate.catch(() => {});
  const { body, blamed } = behind(source, [
    new TransformStream(),
    new TransformStream(),
  ]);
  const error = await assertRejects(() => readAll(body), ProxyError, "early");
  assertEquals([error.code, blamed], ["response_truncated", []]);
});
