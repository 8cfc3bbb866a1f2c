import fc from "fast-check";
import {
  clusterToAddTo,
  defaultId,
  goDuration,
  parseGoDuration,
} from "../../../core/admin/wsbalancer.ts";
import { assertEquals } from "../../support/assert.ts";
import { configOf } from "./fake_source.ts";

Deno.test("goDuration prints as Go does", () => {
  for (
    const [milliseconds, text] of [
      [0, "0s"],
      [1, "1ms"],
      [250, "250ms"],
      [1_000, "1s"],
      [1_500, "1.5s"],
      [20_000, "20s"],
      [60_000, "1m0s"],
      [600_000, "10m0s"],
      [62_000, "1m2s"],
      [3_600_000, "1h0m0s"],
      [90_061_001, "25h1m1.001s"],
    ] as const
  ) assertEquals(goDuration(milliseconds), text);
});

Deno.test("parseGoDuration reads what Go's ParseDuration reads, and no more", () => {
  for (
    const [text, milliseconds] of [
      ["10m0s", 600_000],
      ["1h1m1.5s", 3_661_500],
      ["0", 0],
      ["0s", 0],
      ["-5s", -5_000],
      ["+5s", 5_000],
      [".5s", 500],
      ["5.s", 5_000],
      ["500us", 0.5],
      ["2µs", 0.002],
      ["1s1s", 2_000],
      ["", undefined],
      ["10", undefined],
      ["10 s", undefined],
      ["s", undefined],
      [".s", undefined],
      ["1d", undefined],
      ["1s-1s", undefined],
      ["Infinitys", undefined],
    ] as const
  ) assertEquals(parseGoDuration(text), milliseconds, text);
});

Deno.test("parseGoDuration takes any text in linear time", () => {
  const before = performance.now();
  for (const text of ["1".repeat(100_000), `1.${"1".repeat(100_000)}`]) {
    assertEquals(parseGoDuration(text), undefined);
  }
  const took = performance.now() - before;
  assertEquals(took < 1_000, true, `took ${took} ms`);
});

Deno.test("parseGoDuration reads back whatever goDuration prints", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 31 - 1 }), (milliseconds) => {
      const read = parseGoDuration(goDuration(milliseconds));
      // Seconds have a fraction: a double is near enough.
      assertEquals(Math.round(read!), milliseconds);
    }),
  );
});

Deno.test("defaultId is host and port, dashed", () => {
  for (
    const [url, id] of [
      ["ws://127.0.0.1:9103", "127-0-0-1-9103"],
      ["ws://h:1/a", "h-1"],
      ["ws://h:1/b", "h-1"],
      ["http://[::1]:80/", "-1-80"],
      ["unix:/run/b.sock", "unix-run-b-sock"],
    ] as const
  ) assertEquals(defaultId(url), id);
});

Deno.test("clusterToAddTo is the one that the config names, or the only one", async () => {
  const config = (names: readonly string[], admin: object) =>
    configOf({
      listeners: [{ name: "web", address: "127.0.0.1:0" }],
      products: [{
        name: "p",
        default: true,
        rules: [{ respond: { status: 204 } }],
      }],
      clusters: names.map((name) => ({ name, backends: [] })),
      admin,
    });
  for (
    const [names, admin, chosen] of [
      [["a"], {}, "a"],
      [["a", "b"], {}, undefined],
      [["a", "b"], { backendCluster: "b" }, "b"],
      [[], {}, undefined],
    ] as const
  ) {
    assertEquals(clusterToAddTo(await config(names, admin))?.name, chosen);
  }
});
