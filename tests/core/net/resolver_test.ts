import { ProxyError } from "../../../core/errors.ts";
import {
  isLiteral,
  type Resolution,
  Resolver,
} from "../../../core/net/resolver.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

/** A lookup whose answers a test gives by hand. */
function manualLookUp() {
  const asked: string[] = [];
  const waiting: PromiseWithResolvers<Resolution>[] = [];
  return {
    asked,
    lookUp(hostname: string) {
      asked.push(hostname);
      const answer = Promise.withResolvers<Resolution>();
      waiting.push(answer);
      return answer.promise;
    },
    answer: (addresses: readonly string[], ttl?: number) =>
      waiting.shift()!.resolve({ addresses, ttl }),
    fail: (reason: Error) => waiting.shift()!.reject(reason),
  };
}

Deno.test("Resolver.resolve: one question for all who ask meanwhile", async () => {
  const dns = manualLookUp();
  const resolver = new Resolver(new FakeClock(), dns.lookUp);
  const answers = [
    resolver.resolve("api.internal"),
    resolver.resolve("api.internal"),
  ];
  dns.answer(["10.0.0.1", "10.0.0.2"]);
  assertEquals(await Promise.all(answers), [
    ["10.0.0.1", "10.0.0.2"],
    ["10.0.0.1", "10.0.0.2"],
  ]);
  assertEquals(dns.asked, ["api.internal"]);
});

Deno.test("Resolver.resolve: without a promise while the answer is fresh", async () => {
  const clock = new FakeClock();
  const dns = manualLookUp();
  const resolver = new Resolver(clock, dns.lookUp);
  const first = resolver.resolve("a.test");
  dns.answer(["10.0.0.1"]);
  await first;
  clock.advance(4_999);
  assertEquals(resolver.resolve("a.test"), ["10.0.0.1"]);
  assertEquals(dns.asked.length, 1);
});

Deno.test("Resolver.resolve: an old answer serves while it is asked anew, not much longer", async () => {
  const clock = new FakeClock();
  const dns = manualLookUp();
  const resolver = new Resolver(clock, dns.lookUp);
  const first = resolver.resolve("a.test");
  dns.answer(["10.0.0.1"]);
  await first;
  clock.advance(34_999);
  assertEquals(resolver.resolve("a.test"), ["10.0.0.1"]);
  assertEquals(dns.asked.length, 2);
  clock.advance(1);
  const late = resolver.resolve("a.test");
  assert(late instanceof Promise);
  dns.answer(["10.0.0.9"]);
  assertEquals(await late, ["10.0.0.9"]);
  assertEquals(resolver.resolve("a.test"), ["10.0.0.9"]);
});

Deno.test("Resolver.resolve: an answer is kept as long as DNS says, within bounds", async () => {
  const cases: [number, number][] = [[0, 1_000], [7_000, 7_000], [
    86_400_000,
    300_000,
  ]];
  for (const [ttl, kept] of cases) {
    const clock = new FakeClock();
    const dns = manualLookUp();
    const resolver = new Resolver(clock, dns.lookUp);
    const first = resolver.resolve("a.test");
    dns.answer(["10.0.0.1"], ttl);
    await first;
    clock.advance(kept - 1);
    resolver.resolve("a.test");
    assertEquals(dns.asked.length, 1, `TTL ${ttl}`);
    clock.advance(1);
    resolver.resolve("a.test");
    assertEquals(dns.asked.length, 2, `TTL ${ttl}`);
    dns.answer(["10.0.0.1"], ttl);
  }
});

Deno.test("Resolver.resolve: the old addresses serve where the resolver fails", async () => {
  const clock = new FakeClock();
  const dns = manualLookUp();
  const resolver = new Resolver(clock, dns.lookUp);
  const first = resolver.resolve("a.test");
  dns.answer(["10.0.0.1"]);
  await first;
  clock.advance(60_000);
  const second = resolver.resolve("a.test");
  dns.fail(new Error("SERVFAIL"));
  assertEquals(await second, ["10.0.0.1"]);
});

Deno.test("Resolver.resolve: name_not_resolved for a name that has no address", async () => {
  const dns = manualLookUp();
  const resolver = new Resolver(new FakeClock(), dns.lookUp);
  for (const reply of [() => dns.answer([]), () => dns.fail(new Error("NX"))]) {
    const asked = assertRejects(
      async () => await resolver.resolve("gone.test"),
      ProxyError,
      "Cannot resolve gone.test",
    );
    reply();
    assertEquals((await asked).code, "name_not_resolved");
  }
  assertEquals(dns.asked.length, 2);
});

Deno.test("Resolver.resolve: the system's resolver knows localhost", async () => {
  const addresses = await new Resolver(new FakeClock()).resolve("localhost");
  assert(addresses.includes("127.0.0.1") || addresses.includes("::1"));
});

Deno.test("isLiteral: true for IP addresses only", () => {
  assertEquals(
    ["127.0.0.1", "::1", "localhost", "10.1", ""].map(isLiteral),
    [true, true, false, false, false],
  );
});
