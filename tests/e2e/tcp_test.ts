import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import {
  bytesOf,
  patternBytes,
  readAll,
  readExactly,
  textOf,
  writeAll,
} from "../support/byte_streams.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { echo, isBroken, serveTcpBackend } from "../support/tcp_backend.ts";

/** A config of one TCP listener. */
function config(
  backends: readonly string[],
  listener: object = {},
  cluster: object = {},
): string {
  return JSON.stringify({
    listeners: [{
      name: "bytes",
      address: "127.0.0.1:0",
      protocol: "tcp",
      cluster: "main",
      ...listener,
    }],
    clusters: [{
      name: "main",
      backends: backends.map((url, i) => ({ id: `b${i}`, url })),
      ...cluster,
    }],
    workers: 1,
  });
}

function connect(proxy: TestProxy): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: proxy.port() });
}

async function counted(
  proxy: TestProxy,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<number> {
  return metricValue((await proxy.report()).metrics, name, labels);
}

Deno.test("TCP: bytes go both ways, in pieces, as they come", async () => {
  await using backend = serveTcpBackend(echo);
  await using proxy = await startProxy(config([backend.url]));
  using conn = await connect(proxy);
  for (const word of ["one", "two", "three"]) {
    await conn.write(bytesOf(word));
    assertEquals(textOf(await readExactly(conn, word.length)), word);
  }
});

Deno.test("TCP: the client's FIN reaches the backend, and the client gets the rest", async () => {
  await using backend = serveTcpBackend(async (conn) => {
    const question = await readAll(conn);
    await writeAll(conn, bytesOf(`you said ${textOf(question)}`));
  });
  await using proxy = await startProxy(config([backend.url]));
  using conn = await connect(proxy);
  await conn.write(bytesOf("bye"));
  await conn.closeWrite();
  assertEquals(textOf(await readAll(conn)), "you said bye");
});

Deno.test("TCP: the backend's FIN reaches the client, and the backend gets the rest", async () => {
  const got = Promise.withResolvers<string>();
  await using backend = serveTcpBackend(async (conn) => {
    await writeAll(conn, bytesOf("greeting"));
    await conn.closeWrite();
    got.resolve(textOf(await readAll(conn)));
  });
  await using proxy = await startProxy(config([backend.url]));
  using conn = await connect(proxy);
  assertEquals(textOf(await readAll(conn)), "greeting");
  await conn.write(bytesOf("all "));
  await conn.write(bytesOf("the rest"));
  await conn.closeWrite();
  assertEquals(await inTime("the rest", got.promise), "all the rest");
  await eventually(
    "the session's end",
    async () => (await proxy.report()).sessionsOpen === 0,
  );
});

Deno.test("TCP: a reset of the client resets the backend's connection", async () => {
  const ended = Promise.withResolvers<unknown>();
  await using backend = serveTcpBackend(async (conn) => {
    await writeAll(conn, bytesOf("unread"));
    try {
      ended.resolve(await readAll(conn));
    } catch (thrown) {
      ended.resolve(thrown);
    }
  });
  await using proxy = await startProxy(config([backend.url]));
  const conn = await connect(proxy);
  await eventually(
    "bytes on their way",
    async () =>
      await counted(proxy, "headrace_bytes_total", {
        direction: "out",
        side: "client",
      }) === 6,
  );
  // Closing with unread bytes makes the kernel send a reset.
  conn.close();
  await inTime("the backend's end", ended.promise);
  await eventually(
    "the session's end",
    async () => (await proxy.report()).sessionsOpen === 0,
  );
});

Deno.test("TCP: random sizes both ways at once arrive intact", async () => {
  await using backend = serveTcpBackend(echo);
  await using proxy = await startProxy(config([backend.url]));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 300_000 }), {
        minLength: 1,
        maxLength: 5,
      }),
      fc.integer({ min: 1 }),
      async (lengths, seed) => {
        using conn = await connect(proxy);
        const sent = patternBytes(lengths.reduce((a, b) => a + b, 0), seed);
        const writing = (async () => {
          let at = 0;
          for (const length of lengths) {
            await writeAll(conn, sent.subarray(at, at += length));
          }
          await conn.closeWrite();
        })();
        assertEquals(await readAll(conn), sent);
        await writing;
      },
    ),
    { numRuns: 15 },
  );
});

Deno.test("TCP: a reader that stops stops the writer; what the proxy holds stays bounded", async () => {
  const written = { bytes: 0 };
  await using backend = serveTcpBackend(async (conn) => {
    const piece = patternBytes(256 << 10);
    try {
      for (;;) {
        written.bytes += await conn.write(piece);
      }
    } catch (thrown) {
      if (!isBroken(thrown)) throw thrown;
    }
  });
  await using proxy = await startProxy(config([backend.url]));
  using _conn = await connect(proxy);
  // It stands still once the kernel's and the proxy's buffers are full.
  let before = -1;
  await eventually("the writer stands still", async () => {
    const now = written.bytes;
    const still = now > 0 && now === before;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return still;
  });
  const out = await counted(proxy, "headrace_bytes_total", {
    direction: "in",
    side: "backend",
  });
  const passedOn = await counted(proxy, "headrace_bytes_total", {
    direction: "out",
    side: "client",
  });
  // What was read and is not written yet: one buffer of the largest size.
  assert(out - passedOn <= 256 << 10, `${out - passedOn} bytes are held`);
  assert(written.bytes < 64 << 20, `${written.bytes} bytes were taken`);
});

Deno.test("TCP: silence in both directions ends the session after timeouts.tunnel", async () => {
  const ended = Promise.withResolvers<void>();
  await using backend = serveTcpBackend(async (conn) => {
    await readAll(conn);
    ended.resolve();
  });
  await using proxy = await startProxy(
    config([backend.url], { timeouts: { tunnel: "200ms" } }),
  );
  using conn = await connect(proxy);
  assertEquals((await inTime("the end", readAll(conn))).length, 0);
  await inTime("the backend's end", ended.promise);
});

Deno.test("TCP: a backend that refuses is passed over for another one", async () => {
  await using backend = serveTcpBackend(echo);
  const dead = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const deadUrl = `tcp://127.0.0.1:${dead.addr.port}`;
  dead.close();
  await using proxy = await startProxy(config([deadUrl, backend.url]));
  for (let i = 0; i < 4; i++) {
    using conn = await connect(proxy);
    await conn.write(bytesOf("hi"));
    assertEquals(textOf(await readExactly(conn, 2)), "hi");
  }
  const { backends } = await proxy.report();
  assertEquals(
    backends.map(({ id, ok, failed }) => ({ id, ok, failed })),
    [{ id: "b0", ok: 0, failed: 2 }, { id: "b1", ok: 4, failed: 0 }],
  );
});

Deno.test("TCP: the connection closes where no backend takes it", async () => {
  const dead = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = dead.addr;
  dead.close();
  await using proxy = await startProxy(config([`tcp://127.0.0.1:${port}`]));
  using conn = await connect(proxy);
  assertEquals((await inTime("the end", readAll(conn))).length, 0);
  const { backends, sessionsOpen } = await proxy.report();
  assertEquals([backends[0]!.failed, sessionsOpen], [1, 0]);
});

Deno.test("TCP: backends take turns", async () => {
  const named = (name: string) =>
    serveTcpBackend((conn) => writeAll(conn, bytesOf(name)));
  await using a = named("a");
  await using b = named("b");
  await using proxy = await startProxy(config([a.url, b.url]));
  const seen: string[] = [];
  for (let i = 0; i < 4; i++) {
    using conn = await connect(proxy);
    seen.push(textOf(await readAll(conn)));
  }
  assertEquals(seen, ["a", "b", "a", "b"]);
});

Deno.test("TCP: bytes are counted by direction and side", async () => {
  await using backend = serveTcpBackend(async (conn) => {
    await readAll(conn);
    await writeAll(conn, patternBytes(5_000));
  });
  await using proxy = await startProxy(config([backend.url]));
  {
    using conn = await connect(proxy);
    await writeAll(conn, patternBytes(1_234));
    await conn.closeWrite();
    assertEquals((await readAll(conn)).length, 5_000);
  }
  await eventually(
    "the session's end",
    async () => (await proxy.report()).sessionsOpen === 0,
  );
  const bytes = (direction: string, side: string) =>
    counted(proxy, "headrace_bytes_total", { direction, side });
  assertEquals(
    [
      await bytes("in", "client"),
      await bytes("out", "backend"),
      await bytes("in", "backend"),
      await bytes("out", "client"),
    ],
    [1_234, 1_234, 5_000, 5_000],
  );
  assertEquals(
    await counted(proxy, "headrace_sessions_total", { listener: "bytes" }),
    1,
  );
});

Deno.test("TCP: an open session is listed with its backend and its bytes", async () => {
  await using backend = serveTcpBackend(echo);
  await using proxy = await startProxy(config([backend.url]));
  const conn = await connect(proxy);
  await conn.write(bytesOf("1234"));
  await readExactly(conn, 4);
  const session = await eventually("the session", async () => {
    const { sessions } = await proxy.report();
    return sessions.find(({ bytesOut }) => bytesOut === 4);
  });
  assertEquals(
    [session.listener, session.protocol, session.backend, session.bytesIn],
    ["bytes", "tcp", "b0", 4],
  );
  assertEquals(session.state, "tunnel");
  assertEquals((await proxy.report()).backends[0]!.active, 1);
  conn.close();
  await eventually(
    "the session's end",
    async () => (await proxy.report()).backends[0]!.active === 0,
  );
});

Deno.test("TCP: a port range makes a listener of each port", async () => {
  await using backend = serveTcpBackend(echo);
  const [first = 0] = freePorts(3);
  await using proxy = await startProxy(
    config([backend.url], { address: `127.0.0.1:${first}-${first + 2}` }),
  );
  for (let port = first; port < first + 3; port++) {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(bytesOf("hi"));
    assertEquals(textOf(await readExactly(conn, 2)), "hi");
  }
  const { listeners } = await proxy.report();
  assertEquals(
    listeners.map(({ name, address }) => [name, address]),
    [0, 1, 2].map((i) => ["bytes", `127.0.0.1:${first + i}`]),
  );
});

Deno.test("TCP: listens on an IPv6 address and reaches an IPv6 backend", async () => {
  await using backend = serveTcpBackend(echo, { hostname: "::1" });
  await using proxy = await startProxy(
    config([backend.url], { address: "[::1]:0" }),
  );
  using conn = await Deno.connect({ hostname: "::1", port: proxy.port() });
  await conn.write(bytesOf("six"));
  assertEquals(textOf(await readExactly(conn, 3)), "six");
  const { listeners } = await proxy.report();
  assertEquals(listeners[0]!.address, `[::1]:${proxy.port()}`);
});

Deno.test("TCP: listens on a unix socket and reaches a unix backend", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using backend = serveTcpBackend(echo, { path: `${folder}/b.sock` });
    const path = `${folder}/l.sock`;
    {
      await using proxy = await startProxy(
        config([backend.url], { address: `unix:${path}` }),
      );
      using conn = await Deno.connect({ transport: "unix", path });
      await conn.write(bytesOf("unix"));
      await conn.closeWrite();
      assertEquals(textOf(await readAll(conn)), "unix");
      assertEquals((await proxy.report()).listeners[0]!.address, path);
    }
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), [
      "b.sock",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("TCP: a unix socket that a dead process left is taken over", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using backend = serveTcpBackend(echo);
    const path = `${folder}/l.sock`;
    // Deno removes the file of a listener that it closes, under its first name.
    const dead = Deno.listen({ transport: "unix", path: `${folder}/d.sock` });
    await Deno.rename(`${folder}/d.sock`, path);
    dead.close();
    assert(Deno.lstatSync(path).isSocket);
    await using proxy = await startProxy(
      config([backend.url], { address: `unix:${path}` }),
    );
    using conn = await Deno.connect({ transport: "unix", path });
    await conn.write(bytesOf("hi"));
    assertEquals(textOf(await readExactly(conn, 2)), "hi");
    assertEquals((await proxy.report()).sessionsOpen, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("TCP: an accept handler's close ends the connection before any backend", async () => {
  await using backend = serveTcpBackend(echo);
  const plugin = handlersPlugin("closed", ({ verdict }) => ({
    accept: () => verdict.close,
  }));
  const base = JSON.parse(config([backend.url]));
  await using proxy = await startProxy(
    JSON.stringify({ ...base, plugins: [plugin] }),
  );
  using conn = await connect(proxy);
  assertEquals((await inTime("the end", readAll(conn))).length, 0);
  assertEquals(backend.accepted, 0);
});
