import { IdSource } from "../../../core/observe/ids.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "../../support/assert.ts";

Deno.test("IdSource.next() never repeats itself", () => {
  const ids = new IdSource();
  const made = new Set<string>();
  for (let i = 0; i < 10_000; i++) made.add(ids.next());

  assertEquals(made.size, 10_000);
});

Deno.test("IdSource.next() counts on in base 36 behind its prefix", () => {
  const ids = new IdSource({ worker: 3, random: (bytes) => bytes.fill(0) });
  for (let i = 1; i < 36; i++) ids.next();

  assertEquals(ids.next(), "00000000003-10");
});

Deno.test("IdSource.next() is a token of small letters and digits", () => {
  assertMatch(new IdSource({ worker: 40 }).next(), /^[0-9a-z]{12}-1$/);
});

Deno.test("IdSource has another prefix at each start", () => {
  assertNotEquals(new IdSource().next(), new IdSource().next());
});

Deno.test("IdSource has another prefix for each worker, whatever chance says", () => {
  const random = (bytes: Uint8Array) => bytes.fill(255);
  const prefixes = Array.from(
    { length: 100 },
    (_, worker) => new IdSource({ worker, random }).next(),
  );

  assertEquals(new Set(prefixes).size, 100);
  assert(prefixes.every((id) => id.length <= 14));
});
