/**
 * What retries of a cluster its budget bears, seen from clients.
 *
 * @module
 */
import { assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { freePorts } from "../../support/free_ports.ts";
import { HttpClient } from "../../support/http_client.ts";
import { startPlane } from "../../support/plane.ts";
import { serveEach } from "../../support/scripted_backend.ts";

/** A backend that can't serve, and how often it was asked. */
function serveSick() {
  let asked = 0;
  const backend = serveEach(async (connection) => {
    asked++;
    await connection.respond(503, "sick");
  });
  return {
    url: backend.url,
    asked: () => asked,
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
}

Deno.test("retries of statuses keep to their share of ten seconds' requests, and to three a second below", async () => {
  await using a = serveSick();
  await using b = serveSick();
  const clock = new FakeClock();
  await using t = await startPlane({
    backends: [a.url, b.url],
    cluster: { retries: { max: 1, causes: ["503"], budget: "10%" } },
  }, clock);
  using client = await HttpClient.connect(t.port);
  /** Attempts that so many requests take. */
  const attempts = async (requests: number) => {
    const before = a.asked() + b.asked();
    for (let i = 0; i < requests; i++) {
      assertEquals((await client.get()).status, 503);
    }
    return a.asked() + b.asked() - before;
  };
  assertEquals(await attempts(20), 40);
  assertEquals(await attempts(20), 30);
  // 400 requests bear 40 retries, 30 of which are used.
  assertEquals(await attempts(360), 360 + 10);
  assertEquals(await attempts(40), 40 + 4);
  clock.advance(10_000);
  assertEquals(await attempts(5), 10);
});

Deno.test("an attempt that no backend heard of takes nothing of the budget", async () => {
  await using sick = serveSick();
  await using well = serveEach((connection) => connection.respond(200, "well"));
  const [dead] = freePorts(1);
  await using t = await startPlane({
    backends: [`http://127.0.0.1:${dead}`, sick.url, well.url],
    cluster: {
      balance: "first",
      retries: { causes: ["connect", "503"], budget: "0%" },
    },
  }, new FakeClock());
  using client = await HttpClient.connect(t.port);
  const statuses: number[] = [];
  for (let i = 0; i < 32; i++) statuses.push((await client.get()).status);
  // Thirty retries of the 503s, and none of those that were refused.
  assertEquals(
    statuses,
    Array.from({ length: 32 }, (_, i) => i < 30 ? 200 : 503),
  );
});

Deno.test("a budget counts its own cluster's requests alone", async () => {
  await using a = serveSick();
  await using b = serveSick();
  const retries = { max: 1, causes: ["503"], budget: "50%" };
  await using t = await startPlane({
    backends: [a.url, b.url],
    cluster: { retries },
    clusters: [{
      name: "other",
      retries,
      backends: [{ url: a.url }, { url: b.url }],
    }],
    products: [{
      name: "p",
      default: true,
      rules: [
        { when: 'req_path_in("/other", false)', cluster: "other" },
        { cluster: "main" },
      ],
    }],
  }, new FakeClock());
  using client = await HttpClient.connect(t.port);
  for (let i = 0; i < 100; i++) await client.get("/other");
  const before = a.asked() + b.asked();
  assertEquals(before, 150);
  for (let i = 0; i < 40; i++) await client.get();
  assertEquals(a.asked() + b.asked() - before, 70);
});
