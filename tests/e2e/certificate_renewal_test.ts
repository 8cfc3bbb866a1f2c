/**
 * Certificates that change while the proxy runs.
 *
 * @module
 */
import { MAX_WAITING_HANDSHAKES } from "../../core/tls/deno_listener.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { makeAuthority } from "../support/certificates.ts";
import { writePairs } from "../support/certificate_files.ts";
import { eventually } from "../support/eventually.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { configWith, type ProxyWith } from "../support/proxy_with.ts";
import { RawClient } from "../support/raw_client.ts";
import { connectTls } from "../support/tls_client.ts";
import { HELLO, RUNTIMES, type TlsSite, tlsSite } from "../support/tls_site.ts";

/** Starts a proxy that looks at its certificates' files all the time. */
function start(s: TlsSite, parts: ProxyWith = {}): Promise<TestProxy> {
  return startProxy(
    configWith({
      listener: { tls: { certificates: s.single } },
      products: HELLO,
      ...parts,
    }),
    { certificateInterval: 20 },
  );
}

/** Puts another authority's certificate in the place of the single one. */
async function replace(s: TlsSite) {
  const ca = await makeAuthority("New CA");
  const single = await ca.issue({ commonName: "new", ips: ["127.0.0.1"] });
  await writePairs(s.folder, { single });
  return ca;
}

function logs(proxy: TestProxy, text: string): number {
  return proxy.logged.filter((line) => line.includes(text)).length;
}

for (const { name, plugins } of RUNTIMES) {
  Deno.test(`${name}: changed files serve new connections, and live ones never notice`, async () => {
    await using s = await tlsSite();
    await using proxy = await start(s, { plugins });
    const port = proxy.port();
    using live = await connectTls(port, { ca: s.ca.cert });
    await live.get();
    const next = await replace(s);
    await eventually("the renewal", () => logs(proxy, "were renewed") === 1);
    using after = await connectTls(port, { ca: next.cert });
    assertEquals((await after.get()).text, "hello\n");
    await assertRejects(() => connectTls(port, { ca: s.ca.cert }));
    assertEquals((await live.get()).text, "hello\n");
    assertEquals(proxy.port(), port);
    const { sessions, metrics } = await proxy.report();
    assertEquals(sessions.length, 2);
    assertEquals(metricValue(metrics, "headrace_reloads_total"), 0);
  });

  Deno.test(`${name}: a bad file keeps the old certificate, is told of once, and a good one is taken then`, async () => {
    await using s = await tlsSite();
    await using proxy = await start(s, { plugins });
    const [{ cert, key } = { cert: "", key: "" }] = s.single;
    const good = await Deno.readTextFile(key);
    await Deno.writeTextFile(key, "garbage");
    await eventually("the error", () => logs(proxy, "old ones stay") === 1);
    const told = proxy.logged.find((line) => line.includes("old ones stay"));
    assert(told!.includes(key), told);
    using old = await connectTls(proxy.port(), { ca: s.ca.cert });
    assertEquals((await old.get()).text, "hello\n");
    // Not told of at every look.
    await new Promise((resolve) => setTimeout(resolve, 100));
    assertEquals(logs(proxy, "old ones stay"), 1);
    await Deno.writeTextFile(key, good);
    const next = await s.ca.issue({ commonName: "next", ips: ["127.0.0.1"] });
    await Deno.writeTextFile(key, next.key);
    await Deno.writeTextFile(cert, next.cert);
    await eventually("the renewal", () => logs(proxy, "were renewed") === 1);
  });

  Deno.test(`${name}: a reload rereads the files, and refuses bad ones with their place`, async () => {
    await using s = await tlsSite();
    const config = configWith({
      listener: { tls: { certificates: s.single } },
      products: HELLO,
      plugins,
    });
    await using proxy = await startProxy(config, {
      certificateInterval: 1_000_000,
    });
    const [{ key } = { key: "" }] = s.single;
    const good = await Deno.readTextFile(key);
    await Deno.writeTextFile(key, "garbage");
    const refused = await assertRejects(() => proxy.reload(config));
    assert(`${refused}`.includes("listeners[0].tls.certificates[0].key"));
    await Deno.writeTextFile(key, good);
    const next = await replace(s);
    await proxy.reload(config);
    using client = await connectTls(proxy.port(), { ca: next.cert });
    assertEquals((await client.get()).text, "hello\n");
  });
}

Deno.test("a renewal keeps counts: who is at the limit stays there", async () => {
  await using s = await tlsSite();
  await using proxy = await start(s, {
    listener: {
      tls: { certificates: s.single },
      limits: { connectionsPerAddress: 1 },
    },
  });
  using live = await connectTls(proxy.port(), { ca: s.ca.cert });
  await live.get();
  const next = await replace(s);
  await eventually("the renewal", () => logs(proxy, "were renewed") === 1);
  await assertRejects(async () => {
    using second = await connectTls(proxy.port(), { ca: next.cert });
    await second.get();
  });
  assertEquals((await live.get()).text, "hello\n");
});

Deno.test("a reload turns TLS on and off at an address that keeps its port", async () => {
  await using s = await tlsSite();
  const plain = configWith({ products: HELLO });
  const secure = configWith({
    products: HELLO,
    listener: { tls: { certificates: s.single } },
  });
  await using proxy = await startProxy(plain);
  const port = proxy.port();
  for (let round = 0; round < 2; round++) {
    await proxy.reload(secure);
    assertEquals(proxy.port(), port);
    using client = await connectTls(port, { ca: s.ca.cert });
    assertEquals((await client.get()).text, "hello\n");
    await proxy.reload(plain);
    const raw = await RawClient.connect(port);
    await raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assertEquals((await raw.response()).status, 200);
    await raw.closed();
  }
});

Deno.test("silent clients hold no more than a bounded number of connections of Deno's listener", async () => {
  await using s = await tlsSite();
  await using proxy = await start(s, {
    listener: {
      tls: { certificates: s.single },
      timeouts: { handshake: "200ms" },
    },
  });
  const port = proxy.port();
  const silent: RawClient[] = [];
  for (let i = 0; i < MAX_WAITING_HANDSHAKES + 1; i++) {
    silent.push(await RawClient.connect(port));
  }
  await eventually("the relief", () => logs(proxy, "takes over") === 1);
  // From here on those that stay silent are closed.
  const late = await RawClient.connect(port);
  await late.end();
  using client = await connectTls(port, { ca: s.ca.cert });
  assertEquals((await client.get()).text, "hello\n");
  await late.closed();
  for (const each of silent) await each.closed();
  await eventually(
    "the sessions' ends",
    async () => (await proxy.report()).sessionsOpen === 1,
  );
});

Deno.test("the expiry of each certificate is a metric, with several workers too", async () => {
  await using s = await tlsSite();
  const soon = await s.ca.issue({
    commonName: "soon",
    names: ["soon.test"],
    notAfter: new Date(Date.now() + 10 * 86_400_000),
  });
  const certificates = [
    ...s.single,
    ...await writePairs(s.folder, { soon }),
  ];
  const config = JSON.parse(
    configWith({ products: HELLO, listener: { tls: { certificates } } }),
  );
  await using proxy = await startProxy(
    JSON.stringify({ ...config, workers: 2 }),
  );
  const { metrics } = await proxy.report();
  const days = (name: string) =>
    metricValue(metrics, "headrace_certificate_expiry_seconds", { name }) /
    86_400;
  assert(Math.abs(days("soon.test") - 10) < 0.01, `${days("soon.test")}`);
  assert(Math.abs(days("default.test") - 30) < 0.01);
  // One warning, not one per worker.
  assertEquals(logs(proxy, "expires soon"), 1);
});
