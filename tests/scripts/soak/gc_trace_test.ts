import { assertEquals } from "../../support/assert.ts";
import {
  CollectionBook,
  parseCollection,
  pauseFigures,
} from "../../../scripts/soak/gc_trace.ts";

const SCAVENGE =
  "[28810:0x55e542ccf000]      524 ms: Scavenge 66.3 (82.5) -> 55.9 (71.0) MB, pooled: 0.0 MB, 0.66 / 0.00 ms (average mu = 1.000, current mu = 1.000) allocation failure; ";
const MARK_COMPACT =
  "[28810:0x55e542ccf000]      559 ms: Incremental Mark-Compact 71.2 (87.8) -> 7.1 (23.6) MB, pooled: 44.2 MB, 3.77 / 0.00 ms (+ 0.3 ms in 4 steps since start of marking, biggest step 0.2 ms, walltime since start of marking 12 ms) (average mu = 0.993, current mu = 0.993) finalize incremental marking via stack guard; GC in old space requested";
const OTHER_ISOLATE =
  "[28810:0x7f0000000000]      600 ms: Scavenge 9.5 (12.2) -> 4.5 (14.7) MB, pooled: 0.0 MB, 27.15 / 0.00 ms (average mu = 1.000, current mu = 1.000) allocation failure; ";

Deno.test("a scavenge of V8's trace is read", () => {
  assertEquals(parseCollection(SCAVENGE), {
    isolate: "0x55e542ccf000",
    kind: "scavenge",
    pause: 0.66,
    step: 0,
    heap: 55.9,
  });
});

Deno.test("a mark-compact is read with its longest step", () => {
  assertEquals(parseCollection(MARK_COMPACT), {
    isolate: "0x55e542ccf000",
    kind: "mark-compact",
    pause: 3.77,
    step: 0.2,
    heap: 7.1,
  });
});

Deno.test("other lines are none of a collection", () => {
  assertEquals(parseCollection("127.0.0.1 - - GET / 200 12.5 ms"), undefined);
});

Deno.test("the heap is that of all isolates, behind a mark-compact where there was one", () => {
  const book = new CollectionBook();
  assertEquals(
    [SCAVENGE, OTHER_ISOLATE, "no", MARK_COMPACT].map((line) =>
      book.take(line)
    ),
    [true, true, false, true],
  );
  assertEquals(book.heap, 7.1 + 4.5);
  book.take(SCAVENGE);
  assertEquals(book.heap, 7.1 + 4.5);
});

Deno.test("pauses are counted by kind, steps of marking among them", () => {
  const book = new CollectionBook();
  for (const line of [SCAVENGE, OTHER_ISOLATE, MARK_COMPACT]) book.take(line);
  assertEquals(pauseFigures(book.collections, "scavenge"), {
    count: 2,
    median: 0.66,
    p99: 27.15,
    longest: 27.15,
    all: 27.81,
  });
  const { count, longest } = pauseFigures(book.collections, "mark-compact");
  assertEquals([count, longest], [2, 3.77]);
  assertEquals(pauseFigures([]).p99, 0);
});

Deno.test("this runtime's own trace is understood", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--v8-flags=--trace-gc,--expose-gc",
      "gc(); gc({ type: 'minor' })",
    ],
  }).output();
  const book = new CollectionBook();
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    if (line !== "") assertEquals(book.take(line), true, line);
  }
  const kinds = new Set(book.collections.map(({ kind }) => kind));
  assertEquals([...kinds].sort(), ["mark-compact", "scavenge"]);
});
