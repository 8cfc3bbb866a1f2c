import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { ChunkList } from "../../../core/cache/chunk_list.ts";
import { Fill } from "../../../core/cache/fill.ts";
import type {
  StoredEntry,
  StoredHead,
  StoreWriter,
} from "../../../core/cache/store.ts";
import { ProxyError } from "../../../core/errors.ts";
import type { BodyReader } from "../../../core/message/body.ts";
import { headOf } from "./heads.ts";

/** A writer that takes so many bytes, now or later, and notes what became of it. */
class FakeWriter implements StoreWriter {
  readonly #chunks = new ChunkList();
  readonly #most: number;
  readonly #slow: boolean;
  committed: StoredHead | undefined;
  aborted = false;

  constructor(most: number, slow: boolean) {
    this.#most = most;
    this.#slow = slow;
  }

  get written(): number {
    return this.#chunks.length;
  }

  append(bytes: Uint8Array): boolean | Promise<boolean> {
    const takes = this.written + bytes.length <= this.#most;
    if (takes) this.#chunks.append(bytes);
    return this.#slow ? Promise.resolve(takes) : takes;
  }

  read(start: number, end: number): BodyReader {
    assert(!this.aborted, "read after it was given up");
    const reader = this.#chunks.read(start, end);
    return this.#slow ? new Later(reader) : reader;
  }

  commit(
    head: StoredHead,
  ): StoredEntry | undefined | Promise<StoredEntry | undefined> {
    this.committed = head;
    return this.#slow ? Promise.resolve(undefined) : undefined;
  }

  abort(): void {
    this.aborted = true;
  }
}

/** A body none of which is at hand without waiting. */
class Later implements BodyReader {
  readonly #body: BodyReader;
  readonly headroom = 0;
  readonly tailroom = 0;

  constructor(body: BodyReader) {
    this.#body = body;
  }

  get bytes(): Uint8Array {
    return this.#body.bytes;
  }
  get start(): number {
    return this.#body.start;
  }
  get end(): number {
    return this.#body.end;
  }
  get last(): boolean {
    return this.#body.last;
  }

  advance(): boolean {
    return this.#body.last;
  }

  async next(): Promise<boolean> {
    await Promise.resolve();
    if (this.#body.last) return false;
    this.#body.advance();
    return this.end > this.start;
  }

  cancel(): void {
    this.#body.cancel();
  }
}

/** Pieces of a backend's body; `null` waits, an error breaks off. */
class Source implements BodyReader {
  bytes = new Uint8Array(0);
  start = 0;
  end = 0;
  last = false;
  cancelled = false;
  readonly headroom = 0;
  readonly tailroom = 0;
  readonly #pieces: (Uint8Array<ArrayBuffer> | null | ProxyError)[];

  constructor(
    pieces: readonly (Uint8Array<ArrayBuffer> | null | ProxyError)[],
  ) {
    this.#pieces = [...pieces];
  }

  advance(): boolean {
    if (this.last) return true;
    const next = this.#pieces[0];
    if (next === undefined) {
      this.last = true;
      this.start = this.end = 0;
      return true;
    }
    if (!(next instanceof Uint8Array)) return false;
    this.#pieces.shift();
    // Its bytes are used again, as a socket's buffer is.
    this.bytes.fill(0);
    this.bytes = next.slice();
    this.end = next.length;
    this.last = this.#pieces.length === 0;
    return true;
  }

  async next(): Promise<boolean> {
    for (;;) {
      if (this.last) return false;
      const next = this.#pieces[0];
      if (next instanceof ProxyError) {
        await Promise.resolve();
        throw next;
      }
      if (next === null) {
        this.#pieces.shift();
        await new Promise<void>((resolve) => queueMicrotask(resolve));
        continue;
      }
      this.advance();
      return this.end > this.start;
    }
  }

  cancel(): void {
    this.cancelled = true;
    this.last = true;
  }
}

interface Made {
  readonly fill: Fill;
  readonly writer: FakeWriter;
  readonly source: Source;
  readonly ends: (ProxyError | undefined)[];
}

function make(
  pieces: readonly (Uint8Array<ArrayBuffer> | null | ProxyError)[],
  {
    most = Infinity,
    slow = false,
    alone = true,
    before,
    after,
  }: {
    readonly most?: number;
    readonly slow?: boolean;
    readonly alone?: boolean;
    readonly before?: BodyReader;
    readonly after?: BodyReader;
  } = {},
): Made {
  const writer = new FakeWriter(most, slow);
  const source = new Source(pieces);
  const ends: (ProxyError | undefined)[] = [];
  const fill = new Fill({
    key: "k",
    head: headOf([]),
    size: undefined,
    body: source,
    writer,
    before,
    after,
    replaced: [],
    goesOnAlone: () => alone,
    onEnd: (_, error) => ends.push(error),
  });
  return { fill, writer, source, ends };
}

async function readAll(body: BodyReader): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  while (!body.last) {
    if (!body.advance() && !await body.next()) continue;
    parts.push(body.bytes.slice(body.start, body.end));
  }
  const all = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function piece(length: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}

Deno.test("what is all at hand is stored without a promise", async () => {
  const { fill, writer, ends } = make([piece(3, 1), piece(2, 2)]);
  const reader = fill.read(0, Infinity);
  assertEquals(fill.run(), undefined);
  assertEquals([fill.done, fill.size, ends], [true, 5, [undefined]]);
  assertEquals(writer.committed?.length, 5);
  assertEquals(writer.aborted, false);
  assertEquals(await readAll(reader), new Uint8Array([1, 1, 1, 2, 2]));
  assertEquals(writer.aborted, true);
});

Deno.test("each reader gets all of it, however it comes and whoever is slow", async () => {
  const pieces = fc.array(
    fc.option(fc.record({ length: fc.nat(3000), value: fc.nat(255) }), {
      nil: null,
    }),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(
      pieces,
      fc.boolean(),
      fc.oneof(fc.constant(Infinity), fc.nat(6000)),
      fc.array(fc.tuple(fc.nat(20), fc.nat(8000), fc.nat(8000)), {
        minLength: 1,
        maxLength: 4,
      }),
      async (described, slow, most, readers) => {
        const given = described.map((each) =>
          each === null ? null : piece(each.length, each.value)
        );
        const whole = new Uint8Array(
          given.flatMap((each) => each === null ? [] : [...each]),
        );
        const { fill, writer, ends } = make(given, { slow, most });
        const first = readAll(fill.read(0, Infinity));
        const running = fill.run();
        const rest = readers.map(async ([delay, from, count]) => {
          for (let i = 0; i < delay; i++) await Promise.resolve();
          if (!fill.open) return;
          const end = from + count;
          const read = await readAll(fill.read(from, end));
          assertEquals(read, whole.slice(from, end));
        });
        await running;
        assertEquals(await first, whole);
        await Promise.all(rest);
        assertEquals(ends, [undefined]);
        assertEquals(writer.committed !== undefined, whole.length <= most);
        assertEquals(writer.aborted, true);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a body that breaks off gives what came, then the failure", async () => {
  const error = new ProxyError("response_truncated", "short");
  const { fill, writer, ends } = make([piece(4, 1), null, error]);
  const reader = fill.read(0, Infinity);
  const running = fill.run();
  assertEquals(await reader.next(), true);
  await assertRejects(() => readAll(reader), ProxyError, "short");
  await running;
  assertEquals([ends, writer.committed], [[error], undefined]);
  assertEquals(fill.open, false);
});

Deno.test("one that nobody wants ends where it may not go on alone", async () => {
  for (const alone of [false, true]) {
    const { fill, writer, source } = make(
      [null, piece(4, 1), null, piece(4, 2)],
      { alone },
    );
    const reader = fill.read(0, Infinity);
    const running = fill.run();
    reader.cancel();
    await running;
    assertEquals(source.cancelled, !alone);
    assertEquals(writer.committed !== undefined, alone);
  }
});

Deno.test("a doomed one is read to its end but not stored", async () => {
  const { fill, writer } = make([null, piece(4, 1)]);
  const reader = fill.read(0, Infinity);
  const running = fill.run();
  fill.doom();
  assertEquals(fill.open, false);
  assertEquals((await readAll(reader)).length, 4);
  await running;
  assertEquals(writer.committed, undefined);
});

Deno.test("stored parts stand before and behind what comes", async () => {
  for (const slow of [false, true]) {
    const list = new ChunkList();
    list.append(piece(4, 9));
    const { fill, writer } = make([piece(2, 1), null, piece(2, 2)], {
      slow,
      before: list.read(0, 3),
      after: list.read(1, 2),
    });
    const reader = fill.read(0, Infinity);
    await fill.run();
    assertEquals(
      await readAll(reader),
      new Uint8Array([9, 9, 9, 1, 1, 2, 2, 9]),
    );
    assertEquals(writer.committed?.length, 8);
  }
});

Deno.test("what is not stored waits for its slowest reader", async () => {
  const size = 256 << 10;
  const { fill } = make(
    Array.from({ length: 64 }, (_, i) => i % 2 === 0 ? null : piece(size, i)),
    { most: 0 },
  );
  const slow = fill.read(0, Infinity);
  const quick = readAll(fill.read(0, Infinity));
  const running = fill.run();
  for (let i = 0; i < 1000; i++) await Promise.resolve();
  assert(fill.length <= (1 << 20) + size, `${fill.length} bytes ahead`);
  const read = await readAll(slow);
  assertEquals(read.length, 32 * size);
  assertEquals(await quick, read);
  await running;
});

Deno.test("a reader whose client leaves is told", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const body: BodyReader = {
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    last: false,
    headroom: 0,
    tailroom: 0,
    advance: () => false,
    next: () => promise.then(() => false),
    cancel: () => {},
  };
  const writer = new FakeWriter(Infinity, false);
  const fill = new Fill({
    key: "k",
    head: headOf([]),
    size: undefined,
    body,
    writer,
    replaced: [],
    goesOnAlone: () => false,
    onEnd: () => {},
  });
  const reader = fill.read(0, Infinity);
  const running = fill.run();
  const reading = reader.next();
  const gone = new ProxyError("client_closed", "gone");
  reader.giveUp(gone);
  await assertRejects(() => reading, ProxyError, "gone");
  Object.assign(body, { last: true });
  resolve();
  await running;
});
