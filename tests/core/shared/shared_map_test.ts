import * as fc from "fast-check";
import type { SharedMap } from "../../../core/plugin.ts";
import { MemoryCounter } from "../../../core/shared/shared_counter.ts";
import {
  initMap,
  mapBytes,
  MemoryMap,
} from "../../../core/shared/shared_map.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { runsOf } from "../../support/property.ts";
import type { Hammer } from "./hammer_worker.ts";

function makeMemory(entries: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(mapBytes(entries));
  initMap(memory);
  return memory;
}

/** Two views of one map, as two workers have them. */
function makePair(entries = 64) {
  const clock = new FakeClock();
  const memory = makeMemory(entries);
  const map = new MemoryMap(memory, () => clock.wall());
  const other = new MemoryMap(memory, () => clock.wall());
  return { clock, map, other };
}

Deno.test("SharedMap – what one writes the other reads", () => {
  const { map, other } = makePair();
  assertEquals(other.get("a"), undefined);
  map.set("a", 1.5, 1_000);
  assertEquals([map.get("a"), other.get("a"), other.get("b")], [
    1.5,
    1.5,
    undefined,
  ]);
  assertEquals(other.add("a", -2, 1_000), -0.5);
  assertEquals(map.get("a"), -0.5);
  assertEquals([map.delete("a"), other.delete("a")], [true, false]);
  assertEquals(other.get("a"), undefined);
});

Deno.test("SharedMap – an entry ends after its ttl; add keeps the end, set and compareExchange move it", () => {
  const { clock, map } = makePair();
  map.add("window", 1, 100);
  map.set("set", 1, 100);
  map.compareExchange("exchanged", undefined, 1, 100);
  clock.advance(99);
  assertEquals(map.add("window", 1, 100), 2);
  map.set("set", 2, 100);
  assertEquals(map.compareExchange("exchanged", 1, 2, 100), 1);
  clock.advance(1);
  assertEquals(
    ["window", "set", "exchanged"].map((key) => map.get(key)),
    [undefined, 2, 2],
  );
  assertEquals(map.add("window", 1, 100), 1);
  clock.advance(98);
  assertEquals([map.get("set"), map.get("exchanged")], [2, 2]);
  clock.advance(1);
  assertEquals([map.get("set"), map.get("exchanged")], [undefined, undefined]);
  map.set("ever", 1, Infinity);
  clock.advance(1e12);
  assertEquals(map.get("ever"), 1);
});

Deno.test("SharedMap – compareExchange changes nothing where another was faster", () => {
  const { map } = makePair();
  assertEquals(map.compareExchange("a", 1, 2, 100), undefined);
  assertEquals(map.get("a"), undefined);
  assertEquals(map.compareExchange("a", undefined, 1, 100), undefined);
  assertEquals(map.compareExchange("a", undefined, 5, 100), 1);
  assertEquals(map.compareExchange("a", 1, 2, 100), 1);
  assertEquals(map.get("a"), 2);
});

Deno.test("SharedMap – numbers that are none and lives of no time are refused, and change nothing", () => {
  const { map } = makePair();
  for (const value of [NaN, Infinity]) {
    assertThrows(() => map.set("a", value, 1), RangeError, "not finite");
    assertThrows(() => map.add("a", value, 1), RangeError, "not finite");
  }
  for (const ttl of [0, -1, NaN]) {
    assertThrows(() => map.set("a", 1, ttl), RangeError, "ttl");
    assertThrows(
      () => map.compareExchange("a", undefined, 1, ttl),
      RangeError,
      "ttl",
    );
  }
  assertEquals(map.get("a"), undefined);
});

Deno.test("SharedMap – under a flood of random keys it keeps its size, and what lives longest", () => {
  const { map } = makePair(1_024);
  for (let i = 0; i < 100; i++) map.set(`known ${i}`, i, 60_000);
  for (let i = 0; i < 50_000; i++) map.add(`random ${i}`, 1, 1_000);
  for (let i = 0; i < 100; i++) assertEquals(map.get(`known ${i}`), i);
  // A thousand of them have room, less what the known ones take.
  assert(map.evicted > 48_900 && map.evicted < 50_000, `${map.evicted}`);
});

Deno.test("SharedMap – entries whose time is up make room without being counted", () => {
  const { clock, map } = makePair(8);
  for (let i = 0; i < 100; i++) {
    for (let j = 0; j < 8; j++) map.set(`${i} ${j}`, 1, 10);
    clock.advance(10);
  }
  assertEquals(map.evicted, 0);
  for (let j = 0; j < 9; j++) map.set(`last ${j}`, 1, 10 + j);
  assertEquals([map.evicted, map.get("last 0"), map.get("last 8")], [
    1,
    undefined,
    1,
  ]);
});

Deno.test("SharedMap – does what a Map with ends does", () => {
  type Step = (map: SharedMap) => unknown;
  const key = fc.constantFrom("a", "b", "c", "d");
  const value = fc.integer({ min: -3, max: 3 });
  const ttl = fc.integer({ min: 1, max: 20 });
  const step = fc.oneof(
    key.map((k): Step => (map) => map.get(k)),
    key.map((k): Step => (map) => map.delete(k)),
    fc.tuple(key, value, ttl).map((args): Step => (map) => map.set(...args)),
    fc.tuple(key, value, ttl).map((args): Step => (map) => map.add(...args)),
    fc.tuple(key, fc.option(value, { nil: undefined }), value, ttl)
      .map((args): Step => (map) => map.compareExchange(...args)),
  );
  const steps = fc.array(fc.tuple(step, fc.nat(8)), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (steps) => {
      const { clock, map, other } = makePair();
      const model = new ModelMap(clock);
      steps.forEach(([step, wait], i) => {
        assertEquals(step(i % 2 === 0 ? map : other), step(model));
        clock.advance(wait);
      });
    }),
    runsOf("shared map", 300),
  );
});

/** The same in plain JavaScript. */
class ModelMap implements SharedMap {
  readonly evicted = 0;
  readonly #clock: FakeClock;
  readonly #entries = new Map<string, { value: number; end: number }>();

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  get(key: string) {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.end > this.#clock.wall()
      ? entry.value
      : undefined;
  }

  set(key: string, value: number, ttl: number) {
    this.#entries.set(key, { value, end: this.#clock.wall() + ttl });
  }

  add(key: string, by: number, ttl: number) {
    const before = this.get(key);
    if (before === undefined) this.set(key, by, ttl);
    else this.#entries.get(key)!.value += by;
    return (before ?? 0) + by;
  }

  compareExchange(
    key: string,
    expected: number | undefined,
    value: number,
    ttl: number,
  ) {
    const found = this.get(key);
    if (found === expected) this.set(key, value, ttl);
    return found;
  }

  delete(key: string) {
    const found = this.get(key) !== undefined;
    this.#entries.delete(key);
    return found;
  }
}

/** Places of the header and of a set's lock, in Int32. */
const FIRST_LOCK = 16;

Deno.test("SharedMap – a lock whose holder is dead is taken over", () => {
  const clock = new FakeClock();
  const memory = makeMemory(8);
  const map = new MemoryMap(memory, () => clock.wall());
  map.set("a", 1, 100);
  new Int32Array(memory)[FIRST_LOCK] = 77;
  const begin = performance.now();
  assertEquals(map.add("a", 1, 100), 2);
  const waited = performance.now() - begin;
  assert(waited >= 100, `waited ${waited}`);
  assertEquals(new Int32Array(memory)[FIRST_LOCK], 0);
});

Deno.test("SharedMap, SharedCounter – nothing is lost between workers", async () => {
  const memory = makeMemory(16);
  const counterMemory = new SharedArrayBuffer(8);
  const hammer: Hammer = {
    counter: counterMemory,
    map: memory,
    rounds: 3_000,
    keys: ["a", "b", "c"],
  };
  const workers = [0, 1, 2].map(() =>
    new Worker(new URL("./hammer_worker.ts", import.meta.url), {
      type: "module",
    })
  );
  await Promise.all(workers.map(async (worker) => {
    const done = Promise.withResolvers<void>();
    worker.onmessage = () => done.resolve();
    worker.postMessage(hammer);
    await done.promise;
    worker.terminate();
  }));
  const map = new MemoryMap(memory, Date.now);
  assertEquals(hammer.keys.map((key) => map.get(key)), [9_000, 9_000, 9_000]);
  assertEquals(new MemoryCounter(counterMemory).value, 9_000);
});
