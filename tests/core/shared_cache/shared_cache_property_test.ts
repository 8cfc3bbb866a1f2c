/**
 * Random operations over three workers: what a client gets is what one store
 * would have given it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Purge } from "../../../core/cache/store.ts";
import { ProxyError } from "../../../core/errors.ts";
import { runsOf } from "../../support/property.ts";
import {
  type Answered,
  bytesOf,
  messages,
  pattern,
  ProxyOfWorkers,
  request,
  SentBody,
} from "./proxy_of_workers.ts";

const WORKERS = 3;
const KEYS = 6;

/** Sizes of objects: with the answer, in pieces, through several windows. */
const SIZES = [0, 10, 5_000, 65_536, 70_000, 300_000, 1_200_000] as const;

type Operation =
  | { readonly kind: "get"; readonly worker: number; readonly key: number }
  /** The object changes, and is purged. */
  | {
    readonly kind: "change";
    readonly worker: number;
    readonly key: number;
    readonly by: Purge["kind"];
  }
  /** What is stored is found to hold. */
  | { readonly kind: "update"; readonly worker: number; readonly key: number }
  /** A client that reads a part and leaves. */
  | { readonly kind: "leave"; readonly worker: number; readonly key: number };

const worker = fc.nat(WORKERS - 1);
const key = fc.nat(KEYS - 1);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("get" as const), worker, key }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("change" as const),
      worker,
      key,
      by: fc.constantFrom("url", "prefix", "tag", "all"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("update" as const), worker, key }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("leave" as const), worker, key }),
  },
);

/** What all objects are, and since when. */
class World {
  readonly keys: readonly string[];
  readonly #sizes: readonly number[];
  readonly versions = new Array<number>(KEYS).fill(1);
  /** Versions below these were purged, and that was answered. */
  readonly least = new Array<number>(KEYS).fill(1);
  asked = 0;

  constructor(sizes: readonly number[]) {
    this.#sizes = sizes;
    this.keys = sizes.map((_, i) => `http://a/${i}`);
  }

  body(key: number, version: number): Uint8Array<ArrayBuffer> {
    return pattern(this.#sizes[key]!, key * 1_000 + version);
  }

  /** The backend. */
  async ask(key: number) {
    this.asked++;
    const version = this.versions[key]!;
    if (version % 2 === 0) await messages(1);
    const all = this.body(key, version);
    const body = new SentBody();
    const send = async () => {
      for (let at = 0; at < all.length; at += 100_000) {
        if (version % 3 === 0) await messages(1);
        body.send(all.subarray(at, at + 100_000));
      }
      body.finish();
    };
    const sent = send();
    if (version % 3 !== 0) await sent;
    return {
      body,
      size: version % 5 === 0 ? undefined : all.length,
      head: {
        fields: [["etag", `${key} ${version}`]] as const,
        tags: [`t${key}`],
      },
    };
  }

  /** Checks what a client got that began to ask when `least` was known. */
  check(key: number, least: number, { head }: Answered, got: Uint8Array): void {
    const [own, version] = head.fields[0]![1].split(" ").map(Number);
    assertEquals(own, key);
    assert(version! >= least, `version ${version} after ${least}`);
    assertEquals(got, this.body(key, version!));
  }

  purge(key: number, by: Purge["kind"]): Purge {
    switch (by) {
      case "url":
        return { kind: "url", url: this.keys[key]! };
      case "prefix":
        return { kind: "prefix", prefix: this.keys[key]! };
      case "tag":
        return { kind: "tag", tag: `t${key}` };
      case "all":
        return { kind: "all" };
    }
  }
}

async function perform(
  proxy: ProxyOfWorkers,
  world: World,
  operation: Operation,
): Promise<void> {
  const { worker: number, key } = operation;
  const worker = proxy.worker(number);
  const url = world.keys[key]!;
  const least = world.least[key]!;
  switch (operation.kind) {
    case "get": {
      const answer = await request(worker, url, { ask: () => world.ask(key) });
      world.check(key, least, answer, await bytesOf(answer.body));
      return;
    }
    case "leave": {
      const { body } = await request(worker, url, {
        ask: () => world.ask(key),
      });
      if (!body.advance()) await body.next();
      body.cancel();
      return;
    }
    case "change": {
      const version = ++world.versions[key]!;
      await worker.cache.invalidate(world.purge(key, operation.by));
      world.least[key] = Math.max(world.least[key]!, version);
      return;
    }
    case "update": {
      const [entry] = await worker.cache.store.find(url);
      if (entry === undefined) return;
      const { receivedAt } = entry.head;
      const head = { ...entry.head, receivedAt: receivedAt + 1 };
      await worker.cache.store.update(entry, head);
    }
  }
}

const sizes = fc.array(fc.constantFrom(...SIZES), {
  minLength: KEYS,
  maxLength: KEYS,
});

Deno.test("one after another: three workers ask the backend as often as one store would", async () => {
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.array(operation, { maxLength: 25 }),
      async (sizes, operations) => {
        const world = new World(sizes);
        using proxy = await ProxyOfWorkers.start(WORKERS);
        const stored = new Set<number>();
        let asked = 0;
        for (const operation of operations) {
          if (operation.kind === "leave") continue;
          await perform(proxy, world, operation);
          await messages(3);
          if (operation.kind === "get" && !stored.has(operation.key)) {
            asked++;
            stored.add(operation.key);
          } else if (operation.kind === "change") {
            if (operation.by === "all") stored.clear();
            // No key is the prefix of another one.
            else stored.delete(operation.key);
          }
          assertEquals(world.asked, asked);
        }
      },
    ),
    runsOf("three workers in a row", 12),
  );
});

Deno.test("all at once: never another object's bytes, never an object after its purge was answered", async () => {
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.array(fc.array(operation, { minLength: 1, maxLength: 12 }), {
        maxLength: 6,
      }),
      async (sizes, rounds) => {
        const world = new World(sizes);
        using proxy = await ProxyOfWorkers.start(WORKERS, {
          // So little that things are forgotten, and some don't fit.
          copies: 200_000,
        });
        for (const round of rounds) {
          await Promise.all(
            round.map((operation) => perform(proxy, world, operation)),
          );
        }
        await messages(8);
        for (const worker of proxy.workers) {
          const { fetches, waiting, fills } = worker!.cache.stats();
          assertEquals([fetches, waiting, fills], [0, 0, 0]);
        }
      },
    ),
    runsOf("three workers at once", 15),
  );
});

Deno.test("all at once, while workers end: bodies are whole or cut", async () => {
  const round = fc.record({
    operations: fc.array(operation, { minLength: 1, maxLength: 10 }),
    ends: fc.option(worker, { nil: undefined }),
    after: fc.nat(6),
  });
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.array(round, { maxLength: 5 }),
      async (sizes, rounds) => {
        const world = new World(sizes);
        using proxy = await ProxyOfWorkers.start(WORKERS);
        for (const { operations, ends, after } of rounds) {
          // Clients of the worker that ends are not to be asked: they end with it.
          const asked = operations.filter(({ worker }) => worker !== ends);
          const all = asked.map((operation) =>
            perform(proxy, world, operation).catch((error) => {
              const cut = ends !== undefined && error instanceof ProxyError &&
                ["cache_failed", "response_truncated"].includes(error.code);
              if (!cut) throw error;
            })
          );
          if (ends !== undefined) {
            await messages(after);
            proxy.kill(ends);
          }
          await Promise.all(all);
          if (ends !== undefined) proxy.open(ends);
          await messages();
        }
      },
    ),
    runsOf("three workers that end", 15),
  );
});
