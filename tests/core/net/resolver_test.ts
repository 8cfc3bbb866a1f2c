import { ProxyError } from "../../../core/errors.ts";
import {
  isLiteral,
  lookUpWith,
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

Deno.test("Resolver.resolveFresh tells until when the answer holds", async () => {
  const clock = new FakeClock();
  const dns = manualLookUp();
  const resolver = new Resolver(clock, dns.lookUp);
  const answers = [
    resolver.resolveFresh("a.test"),
    resolver.resolveFresh("a.test"),
  ];
  const started = clock.now();
  clock.advance(300);
  dns.answer(["10.0.0.1"], 7_000);
  for (const { addresses, until } of await Promise.all(answers)) {
    assertEquals([addresses, until], [["10.0.0.1"], started + 7_300]);
  }
  clock.advance(6_999);
  const { until } = await resolver.resolveFresh("a.test");
  assertEquals([until, dns.asked.length], [started + 7_300, 1]);
  clock.advance(1);
  const next = resolver.resolveFresh("a.test");
  dns.answer(["10.0.0.2"], 7_000);
  assertEquals((await next).addresses, ["10.0.0.2"]);
});

Deno.test("Resolver.resolveFresh rejects where only an old answer is known", async () => {
  const clock = new FakeClock();
  const dns = manualLookUp();
  const resolver = new Resolver(clock, dns.lookUp);
  const first = resolver.resolveFresh("a.test");
  dns.answer(["10.0.0.1"]);
  await first;
  clock.advance(5_000);
  const failing = () => {
    const asked = assertRejects(
      () => resolver.resolveFresh("a.test"),
      ProxyError,
      "Cannot resolve a.test: SERVFAIL",
    );
    dns.fail(new Error("SERVFAIL"));
    return asked;
  };
  await failing();
  // What serves others meanwhile is no fresh answer.
  assertEquals(resolver.resolve("a.test"), ["10.0.0.1"]);
  assertEquals(dns.asked.length, 2);
  await failing();
  assertEquals(dns.asked.length, 3);
});

Deno.test("Resolver: both ways to ask share one question and its answer", async () => {
  const dns = manualLookUp();
  const resolver = new Resolver(new FakeClock(), dns.lookUp);
  const fresh = resolver.resolveFresh("a.test");
  const any = resolver.resolve("a.test");
  dns.answer(["10.0.0.1"]);
  assertEquals([(await fresh).addresses, await any], [["10.0.0.1"], [
    "10.0.0.1",
  ]]);
  assertEquals(resolver.resolve("a.test"), ["10.0.0.1"]);
  assertEquals(dns.asked.length, 1);
});

Deno.test("lookUpWith: addresses don't wait long for their TTL", async () => {
  const clock = new FakeClock();
  const ttl = Promise.withResolvers<number | undefined>();
  const lookUp = (ttlOf: () => Promise<number | undefined>) =>
    lookUpWith(() => Promise.resolve(["10.0.0.1"]), ttlOf, clock)("a.test");
  assertEquals(await lookUp(() => Promise.resolve(60_000)), {
    addresses: ["10.0.0.1"],
    ttl: 60_000,
  });
  assertEquals(clock.pending, 0);
  let answered = false;
  const late = lookUp(() => ttl.promise);
  late.then(() => answered = true);
  await new Promise((resolve) => setTimeout(resolve));
  clock.advance(999);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(answered, false);
  clock.advance(1);
  assertEquals(await late, { addresses: ["10.0.0.1"], ttl: undefined });
  ttl.resolve(undefined);
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
