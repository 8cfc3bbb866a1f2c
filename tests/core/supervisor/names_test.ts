/**
 * Names of clusters with `dns: all`, under a clock that the test turns.
 *
 * @module
 */
import fc from "fast-check";
import type { Config } from "../../../core/config/config.ts";
import { loadConfig } from "../../../core/config/load.ts";
import { Resolver } from "../../../core/net/resolver.ts";
import { createLog } from "../../../core/observe/log.ts";
import { Names } from "../../../core/supervisor/names.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { FakeDns } from "../../support/fake_dns.ts";

/** Names with the config that is in use. */
class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly dns = new FakeDns();
  readonly lines: Record<string, unknown>[] = [];
  /** When the config in use was swapped for itself. */
  readonly swaps: number[] = [];
  /** What the next swaps fail with. */
  refusal: Error | undefined;
  /** Ids of the config in use. */
  ids: readonly string[] = [];
  readonly names = new Names({
    clock: this.clock,
    log: createLog({
      level: "debug",
      write: (line) => this.lines.push(JSON.parse(line)),
    }),
    resolver: new Resolver(this.clock, this.dns.lookUp),
    renew: async () => {
      this.swaps.push(this.clock.now());
      await Promise.resolve();
      if (this.refusal !== undefined) throw this.refusal;
      await this.use(this.#config!);
    },
  });
  #config: Config | undefined;

  /** Brings a config into use, as planes do. */
  async use(config: Config): Promise<void> {
    const expansion = await this.names.expand(config);
    this.#config = config;
    this.ids = idsOf(expansion.config);
    this.names.commit(expansion);
  }

  /** Turns the clock, with time for what comes of it. */
  async turn(milliseconds: number): Promise<void> {
    await settle();
    for (let left = milliseconds; left > 0; left -= 100) {
      this.clock.advance(Math.min(left, 100));
      await settle();
    }
  }

  messages(): unknown[] {
    return this.lines.map(({ message }) => message);
  }

  [Symbol.dispose](): void {
    this.names.stop();
    assertEquals(this.clock.pending, 0);
  }
}

/** Lets run what needs no time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

async function configOf(
  urls: readonly string[],
  dns = "all",
): Promise<Config> {
  const { config, problems } = await loadConfig({
    path: "test.yaml",
    text: JSON.stringify({
      listeners: [{ name: "web", address: "127.0.0.1:0" }],
      clusters: [{
        name: "main",
        dns,
        backends: urls.map((url, i) => ({
          id: String.fromCharCode(97 + i),
          url,
        })),
      }],
    }),
    env: () => undefined,
  });
  assertEquals(problems, []);
  return config!;
}

function idsOf({ clusters }: Config): string[] {
  return clusters.flatMap(({ subclusters }) => subclusters)
    .flatMap(({ backends }) => backends).map(({ id }) => id);
}

const UNRESOLVED = "A name can't be resolved: it has no backends until it can";
const LOST = "A name can't be resolved any more: its last addresses stay";
const FOUND = "A name can be resolved now";
const CHANGED = "The addresses of a name changed";

Deno.test("Names.expand: an address each, in an order of their own, none twice", async () => {
  using bench = new Bench();
  bench.dns.set("a.test", ["10.0.0.2", "2001:db8::1", "10.0.0.1", "10.0.0.2"]);
  await bench.use(await configOf(["http://a.test:1", "http://10.0.0.9:1"]));
  assertEquals(bench.ids, [
    "a@10.0.0.1",
    "a@10.0.0.2",
    "a@[2001:db8::1]",
    "b",
  ]);
  assertEquals(bench.messages(), []);
});

Deno.test("Names.expand: a config without dns: all asks nobody and sets no timer", async () => {
  using bench = new Bench();
  const config = await configOf(["http://a.test:1"], "first");
  const { config: expanded } = await bench.names.expand(config);
  assert(expanded === config);
  const literal = await configOf(["http://10.0.0.1:1", "unix:/run/app.sock"]);
  assert((await bench.names.expand(literal)).config === literal);
  await bench.use(literal);
  assertEquals([bench.dns.asked, bench.clock.pending], [[], 0]);
});

Deno.test("Names: asked for again when the TTL is over, and swapped where another address came", async () => {
  using bench = new Bench();
  bench.dns.set("a.test", ["10.0.0.1", "10.0.0.2"], 20_000);
  await bench.use(await configOf(["http://a.test:1"]));
  bench.dns.set("a.test", ["10.0.0.3", "10.0.0.2"], 20_000);
  await bench.turn(19_900);
  assertEquals([bench.dns.asked.length, bench.swaps], [1, []]);
  await bench.turn(200);
  assertEquals(bench.dns.asked.length, 2);
  assertEquals(bench.ids, ["a@10.0.0.2", "a@10.0.0.3"]);
  assertEquals(
    bench.lines.map(({ message, name, added, removed }) => ({
      message,
      name,
      added,
      removed,
    })),
    [{
      message: CHANGED,
      name: "a.test",
      added: ["10.0.0.3"],
      removed: ["10.0.0.1"],
    }],
  );
  await bench.turn(60_000);
  assertEquals([bench.dns.asked.length, bench.swaps.length], [5, 1]);
});

Deno.test("Names: another order of the addresses is no change", async () => {
  using bench = new Bench();
  bench.dns.set("a.test", ["10.0.0.1", "10.0.0.2", "::1"], 1_000);
  await bench.use(await configOf(["http://a.test:1"]));
  bench.dns.set("a.test", ["::1", "10.0.0.2", "10.0.0.1"], 1_000);
  await bench.turn(10_000);
  assert(bench.dns.asked.length >= 9, `${bench.dns.asked.length}`);
  assertEquals([bench.swaps, bench.lines], [[], []]);
});

Deno.test("Names: swaps are at least 5 s apart, the last answer wins", async () => {
  using bench = new Bench();
  const set = (last: number) =>
    bench.dns.set("a.test", [`10.0.0.${last}`], 1_000);
  set(0);
  await bench.use(await configOf(["http://a.test:1"]));
  for (let i = 1; i <= 22; i++) {
    set(i);
    await bench.turn(1_000);
  }
  const gaps = bench.swaps.slice(1).map((at, i) => at - bench.swaps[i]!);
  assertEquals(gaps.length, 4);
  assert(gaps.every((gap) => gap >= 5_000), gaps.join());
  await bench.turn(6_000);
  assertEquals(bench.ids, ["a@10.0.0.22"]);
});

Deno.test("Names: a change that is taken back before its swap makes none", async () => {
  using bench = new Bench();
  bench.dns.set("a.test", ["10.0.0.1"], 1_000);
  await bench.use(await configOf(["http://a.test:1"]));
  bench.dns.set("a.test", ["10.0.0.2"], 1_000);
  await bench.turn(1_500);
  assertEquals(bench.swaps.length, 1);
  bench.dns.set("a.test", ["10.0.0.3"], 1_000);
  await bench.turn(1_500);
  bench.dns.set("a.test", ["10.0.0.2"], 1_000);
  await bench.turn(10_000);
  assertEquals([bench.swaps.length, bench.ids], [1, ["a@10.0.0.2"]]);
});

Deno.test("Names: the last addresses stay while the name can't be resolved, which is said once", async () => {
  using bench = new Bench();
  bench.dns.set("a.test", ["10.0.0.1"], 1_000);
  await bench.use(await configOf(["http://a.test:1"]));
  bench.dns.fail("a.test");
  await bench.turn(20_000);
  bench.dns.set("a.test", [], 1_000);
  await bench.turn(20_000);
  assertEquals([bench.ids, bench.swaps], [["a@10.0.0.1"], []]);
  assertEquals(bench.messages(), [LOST]);
  assertEquals(bench.lines[0]!.reason, "Cannot resolve a.test: SERVFAIL");
  // A failed name is asked for every 5 s, whatever its TTL was.
  assertEquals(bench.dns.asked.length, 1 + 8);
  bench.dns.set("a.test", ["10.0.0.1"], 1_000);
  await bench.turn(6_000);
  bench.dns.fail("a.test");
  await bench.turn(6_000);
  assertEquals(bench.messages(), [LOST, FOUND, LOST]);
  assertEquals(bench.swaps, []);
});

Deno.test("Names: one that can't be resolved at the start has no backend, and gets them when it can", async () => {
  using bench = new Bench();
  const config = await configOf(["http://a.test:1", "http://b.test:1"]);
  bench.dns.set("b.test", ["10.0.1.1"], 300_000);
  await bench.use(config);
  assertEquals(bench.ids, ["b@10.0.1.1"]);
  assertEquals(bench.messages(), [UNRESOLVED]);
  assertEquals(
    [bench.lines[0]!.level, bench.lines[0]!.name, bench.lines[0]!.reason],
    ["warn", "a.test", "Cannot resolve a.test: NXDOMAIN"],
  );
  await bench.turn(20_000);
  bench.dns.set("a.test", ["10.0.0.1"], 300_000);
  await bench.turn(5_100);
  assertEquals(bench.ids, ["a@10.0.0.1", "b@10.0.1.1"]);
  assertEquals(bench.messages(), [UNRESOLVED, FOUND, CHANGED]);
});

Deno.test("Names: nobody waits longer than 5 s for an answer, which is taken whenever it comes", async () => {
  using bench = new Bench();
  const held = bench.dns.hold("a.test");
  const used = configOf(["http://a.test:1"]).then((config) =>
    bench.use(config)
  );
  let done = false;
  used.then(() => done = true);
  while (bench.dns.asked.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await bench.turn(4_900);
  assertEquals(done, false);
  await bench.turn(200);
  assertEquals([done, bench.ids], [true, []]);
  assertEquals(
    bench.lines[0]!.reason,
    "Cannot resolve a.test: No answer within 5000 ms",
  );
  await bench.turn(10_000);
  held.resolve({ addresses: ["10.0.0.1"], ttl: 60_000 });
  await bench.turn(100);
  assertEquals(bench.ids, ["a@10.0.0.1"]);
  assertEquals(bench.dns.asked.length, 1);
});

Deno.test("Names: a reload asks for new names only, and forgets those that went", async () => {
  using bench = new Bench();
  bench.dns.set("a.test", ["10.0.0.1"], 10_000);
  bench.dns.set("b.test", ["10.0.1.1"], 10_000);
  await bench.use(await configOf(["http://a.test:1"]));
  await bench.turn(5_000);
  await bench.use(await configOf(["http://a.test:1", "http://b.test:1"]));
  assertEquals(bench.dns.asked, ["a.test", "b.test"]);
  assertEquals(bench.ids, ["a@10.0.0.1", "b@10.0.1.1"]);
  await bench.use(await configOf(["http://b.test:1"]));
  await bench.turn(30_000);
  assertEquals(bench.dns.asked.filter((name) => name === "a.test").length, 1);
  assertEquals(bench.clock.pending, 1);
});

Deno.test("Names: a config that is not taken changes nothing", async () => {
  using bench = new Bench();
  bench.dns.set("a.test", ["10.0.0.1"], 10_000);
  await bench.use(await configOf(["http://a.test:1"]));
  await bench.names.expand(await configOf(["http://gone.test:1"]));
  await bench.turn(30_000);
  assertEquals(
    bench.dns.asked.filter((name) => name === "gone.test").length,
    1,
  );
  assertEquals([bench.lines, bench.clock.pending], [[], 1]);
});

Deno.test("Names: what planes prepared with an answer that is outdated by then is swapped after", async () => {
  using bench = new Bench();
  const answer = async (address: string) => {
    bench.dns.set("a.test", [address], 1_000);
    await bench.turn(1_100);
  };
  const config = await configOf(["http://a.test:1"]);
  bench.dns.set("a.test", ["10.0.0.1"], 1_000);
  await bench.use(config);
  await answer("10.0.0.2");
  assertEquals(bench.swaps.length, 1);
  await answer("10.0.0.3");
  const prepared = await bench.names.expand(config);
  await answer("10.0.0.2");
  await bench.turn(6_000);
  assertEquals([bench.swaps.length, bench.names.changed], [1, false]);
  bench.names.commit(prepared);
  assertEquals(bench.names.changed, true);
  await bench.turn(200);
  assertEquals([bench.swaps.length, bench.ids], [2, ["a@10.0.0.2"]]);
});

Deno.test("Names: a swap that is refused is tried again, and told once", async () => {
  using bench = new Bench();
  bench.dns.set("a.test", ["10.0.0.1"], 1_000);
  await bench.use(await configOf(["http://a.test:1"]));
  bench.refusal = new Error("No worker is there now");
  bench.dns.set("a.test", ["10.0.0.2"], 60_000);
  await bench.turn(13_000);
  assertEquals([bench.swaps.length, bench.ids], [3, ["a@10.0.0.1"]]);
  const refused = bench.lines.filter(({ level }) => level === "error");
  assertEquals(refused.map(({ message, reason }) => [message, reason]), [
    ["The new addresses of names can't be used yet", "No worker is there now"],
  ]);
  bench.refusal = undefined;
  await bench.turn(5_000);
  assertEquals([bench.swaps.length, bench.ids], [4, ["a@10.0.0.2"]]);
  await bench.turn(20_000);
  assertEquals(bench.swaps.length, 4);
});

Deno.test("Names.stop ends questions and swaps, whatever answers then", async () => {
  const bench = new Bench();
  bench.dns.set("a.test", ["10.0.0.1"], 1_000);
  await bench.use(await configOf(["http://a.test:1"]));
  const held = bench.dns.hold("a.test");
  await bench.turn(1_100);
  bench.names.stop();
  held.resolve({ addresses: ["10.0.0.2"], ttl: 1_000 });
  await bench.turn(10_000);
  assertEquals([bench.swaps, bench.clock.pending], [[], 0]);
  await bench.use(await configOf(["http://b.test:1"]));
  assertEquals(bench.clock.pending, 0);
});

Deno.test("Names: whatever answers, what is in use in the end is the last one's", async () => {
  const config = await configOf(["http://a.test:1"]);
  const address = fc.integer({ min: 1, max: 4 }).map((n) => `10.0.0.${n}`);
  const step = fc.record({
    addresses: fc.option(fc.array(address, { maxLength: 4 })),
    ttl: fc.integer({ min: 0, max: 8_000 }),
    wait: fc.integer({ min: 1, max: 7_000 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      using bench = new Bench();
      bench.dns.set("a.test", ["10.0.0.1"], 1_000);
      await bench.use(config);
      for (const { addresses, ttl, wait } of steps) {
        if (addresses === null) bench.dns.fail("a.test");
        else bench.dns.set("a.test", addresses, ttl);
        await bench.turn(wait);
        const gaps = bench.swaps.slice(1).map((at, i) => at - bench.swaps[i]!);
        assert(gaps.every((gap) => gap >= 5_000), gaps.join());
      }
      bench.dns.set("a.test", ["10.0.0.4", "10.0.0.2"], 300_000);
      // The last TTL, the distance of swaps.
      await bench.turn(8_000 + 5_000 + 200);
      assertEquals(bench.ids, ["a@10.0.0.2", "a@10.0.0.4"]);
    }),
    { numRuns: 30 },
  );
});
