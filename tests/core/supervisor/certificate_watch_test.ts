import type { Config } from "../../../core/config/config.ts";
import { createLog } from "../../../core/observe/log.ts";
import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import {
  CertificateWatch,
  type TlsInUse,
} from "../../../core/supervisor/certificate_watch.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { type Identity, makeAuthority } from "../../support/certificates.ts";
import { FakeClock } from "../../support/clock.ts";

const DAY = 86_400_000;
const ca = await makeAuthority();

/** A watch over one pair in a folder of its own, looked at by hand. */
async function watching(pair: Identity, clock = new FakeClock()) {
  const folder = await Deno.makeTempDir({ prefix: "headrace-watch-" });
  const write = async ({ cert, key }: Partial<Identity>) => {
    if (cert) await Deno.writeTextFile(`${folder}/a.crt`, cert);
    if (key) await Deno.writeTextFile(`${folder}/a.key`, key);
  };
  await write(pair);
  const config = {
    listeners: [{ tls: { certificates: [{ cert: "a.crt", key: "a.key" }] } }],
  } as unknown as Config;
  let inUse: TlsInUse = {
    config,
    files: { "a.crt": pair.cert, "a.key": pair.key },
  };
  const renewed: string[] = [];
  let renewal: () => boolean = () => true;
  const logged: { level: string; message: string }[] = [];
  const registry = new MetricRegistry();
  const watch = new CertificateWatch({
    current: () => inUse,
    renew: (_current, files) =>
      new Promise((resolve) => {
        if (renewal()) {
          inUse = { config, files };
          renewed.push(files["a.crt"]!);
        }
        resolve();
      }),
    resolve: (path) => `${folder}/${path}`,
    expiry: createProxyMetrics(registry).certificateExpiry,
    clock,
    log: createLog({
      level: "debug",
      format: "json",
      write: (line) => logged.push(JSON.parse(line)),
    }),
    interval: 1_000_000_000,
  });
  return {
    watch,
    write,
    clock,
    renewed,
    /** `false` = another config came first; it may throw. */
    set renewal(renew: () => boolean) {
      renewal = renew;
    },
    logged,
    expiry: () => {
      watch.measure();
      const { metrics } = registry.snapshot();
      const found = metrics.find(({ name }) =>
        name === "headrace_certificate_expiry_seconds"
      );
      return found?.series.map((sample) => [
        sample.labels[0],
        "value" in sample ? Math.round(sample.value / 86_400) : NaN,
      ]);
    },
    async [Symbol.asyncDispose]() {
      watch[Symbol.dispose]();
      await watch.settled();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** One that ends so many days after a fake clock's beginning. */
function ending(days: number): Promise<Identity> {
  const now = new FakeClock().wall();
  return ca.issue({
    names: [`d${days}.test`],
    notBefore: new Date(now - DAY),
    notAfter: new Date(now + days * DAY),
  });
}

Deno.test("CertificateWatch.look: nothing where nothing changed, or only the file's time", async () => {
  const pair = await ending(90);
  await using t = await watching(pair);
  await t.watch.look();
  await t.write(pair);
  await t.watch.look();
  assertEquals(t.renewed, []);
});

Deno.test("CertificateWatch.look: a certificate without its key is told of only if it stays so", async () => {
  await using t = await watching(await ending(90));
  const next = await ending(91);
  await t.write({ cert: next.cert });
  await t.watch.look();
  assertEquals([t.renewed, t.logged], [[], []]);
  await t.write({ key: next.key });
  await t.watch.look();
  assertEquals([t.renewed, t.logged], [[next.cert], []]);

  await t.write({ cert: "garbage" });
  for (let i = 0; i < 3; i++) await t.watch.look();
  assertEquals(t.logged.map(({ level }) => level), ["error"]);
  assert(JSON.stringify(t.logged[0]).includes("a.crt"));
  await t.write({ cert: "other garbage" });
  for (let i = 0; i < 3; i++) await t.watch.look();
  assertEquals(t.logged.length, 2);
  assertEquals(t.renewed.length, 1);
});

Deno.test("CertificateWatch.look: what could not be put in use is tried again, and told of once", async () => {
  await using t = await watching(await ending(90));
  await t.watch.look();
  const next = await ending(91);
  await t.write(next);
  // A reload was on its way, with what the files held before.
  t.renewal = () => false;
  await t.watch.look();
  t.renewal = () => {
    throw new Error("No worker is there now");
  };
  for (let i = 0; i < 3; i++) await t.watch.look();
  assertEquals(t.logged.map(({ level }) => level), ["error"]);
  assertEquals(t.renewed, []);
  t.renewal = () => true;
  for (let i = 0; i < 3; i++) await t.watch.look();
  assertEquals([t.renewed, t.logged.length], [[next.cert], 1]);
});

Deno.test("CertificateWatch.warn: from 21 days ahead on, once a day", async () => {
  await using t = await watching(await ending(22));
  const days: number[] = [];
  for (let hour = 0; hour < 24 * 25; hour++) {
    const before = t.logged.length;
    t.watch.warn();
    if (t.logged.length > before) days.push(Math.round(hour / 24));
    t.clock.advance(3_600_000);
  }
  assertEquals(days.length, 24);
  assertEquals([days[0], days.at(-1)], [1, 24]);
  assert(t.logged[0]!.message.includes("expires soon"));
  assert(t.logged.at(-1)!.message.includes("has expired"));
});

Deno.test("CertificateWatch.measure: seconds to the end by name; a name that is gone has none", async () => {
  await using t = await watching(await ending(90));
  assertEquals(t.expiry(), [["d90.test", 90]]);
  t.clock.advance(91 * DAY);
  assertEquals(t.expiry(), [["d90.test", -1]]);
  await t.write(await ending(200));
  await t.watch.look();
  assertEquals(t.expiry(), [["d200.test", 109]]);
});
