import type { ListenerConfig } from "../../../core/config/config.ts";
import {
  bind,
  bindAddresses,
  BindError,
  bindKey,
} from "../../../core/listener/bind.ts";
import {
  formatAddress,
  parseListenAddress,
} from "../../../core/net/address.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
} from "../../support/assert.ts";
import { freePorts } from "../../support/free_ports.ts";

/** What of a listener's config a bind reads. */
function listenerConfig(
  text: string,
  { name = "web", backlog = 128 } = {},
): ListenerConfig {
  return {
    name,
    address: parseListenAddress(text),
    socket: { noDelay: true, keepAlive: true, backlog },
  } as ListenerConfig;
}

function address(text: string, parts?: { name?: string; backlog?: number }) {
  return bindAddresses(listenerConfig(text, parts))[0]!;
}

const ALONE = { port: undefined, ours: false };

Deno.test("bindAddresses: one for each port of a range, one for a unix socket", () => {
  const texts = (text: string) =>
    bindAddresses(listenerConfig(text)).map(({ address }) =>
      formatAddress(address)
    );
  assertEquals(texts("127.0.0.1:9000-9002"), [
    "127.0.0.1:9000",
    "127.0.0.1:9001",
    "127.0.0.1:9002",
  ]);
  assertEquals(texts("unix:/run/x.sock"), ["unix:/run/x.sock"]);
});

Deno.test("bindKey: the same for what can keep its socket, whatever it is called", () => {
  assertEquals(
    bindKey(address("127.0.0.1:80", { name: "old" })),
    bindKey(address("127.0.0.1:80", { name: "new" })),
  );
  assertEquals(
    bindKey(address("unix:/x.sock", { backlog: 1 })),
    bindKey(address("unix:/x.sock", { backlog: 2 })),
  );
});

Deno.test("bindKey: another for another backlog, and for each listener on port 0", () => {
  assertNotEquals(
    bindKey(address("127.0.0.1:80", { backlog: 1 })),
    bindKey(address("127.0.0.1:80", { backlog: 2 })),
  );
  assertNotEquals(
    bindKey(address("127.0.0.1:0", { name: "a" })),
    bindKey(address("127.0.0.1:0", { name: "b" })),
  );
});

Deno.test("bind: a port that somebody else has is refused with address and reason, shared or not", async () => {
  for (const reusePort of [false, true]) {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0, reusePort });
    const text = `127.0.0.1:${taken.addr.port}`;
    await assertRejects(
      () => bind(address(text), ALONE),
      BindError,
      `Cannot listen on ${text}: Address already in use`,
    );
  }
});

Deno.test("bind: a port that is ours is shared", async () => {
  const [port] = freePorts(1);
  const shared = address(`127.0.0.1:${port}`);
  using _first = await bind(shared, ALONE);
  using _second = await bind(shared, { port: undefined, ours: true });
});

Deno.test("bind: port 0 takes the port that another worker got", async () => {
  const [port] = freePorts(1);
  using bound = await bind(address("127.0.0.1:0"), { port, ours: true });
  assertEquals((bound.addr as Deno.NetAddr).port, port);
});

Deno.test("bind: an address of another machine is refused", async () => {
  await assertRejects(
    () => bind(address("192.0.2.1:0"), ALONE),
    BindError,
    "Cannot listen on 192.0.2.1:0",
  );
});

Deno.test("bind: an address of another machine is told from one that is taken, also where that one answers", async () => {
  using answers = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { connect } = Deno;
  // No other machine is at hand: whoever connects to it gets to this one.
  Object.assign(Deno, {
    connect: (options: Deno.ConnectOptions) =>
      connect({ ...options, port: answers.addr.port, hostname: "127.0.0.1" }),
  });
  try {
    await assertRejects(
      () => bind(address("192.0.2.1:8080"), ALONE),
      BindError,
      "Cannot listen on 192.0.2.1:8080: Cannot assign requested address",
    );
  } finally {
    Object.assign(Deno, { connect });
  }
});

Deno.test("bind: a unix socket that answers is refused, a stale one replaced, a file that is none kept", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/l.sock`;
    const unix = address(`unix:${path}`);
    {
      using _live = await bind(unix, ALONE);
      await assertRejects(() => bind(unix, ALONE), BindError, path);
    }
    // Deno removes the file of a listener that it closes, under its first name.
    const dead = Deno.listen({ transport: "unix", path: `${folder}/d.sock` });
    await Deno.rename(`${folder}/d.sock`, path);
    dead.close();
    (await bind(unix, ALONE)).close();

    await Deno.writeTextFile(path, "precious");
    await assertRejects(() => bind(unix, ALONE), BindError, path);
    assert(await Deno.readTextFile(path) === "precious");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bind: a unix socket that is ours replaces the one that answers, and outlives it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/l.sock`;
    const unix = address(`unix:${path}`);
    const ours = { port: undefined, ours: true };
    const old = await bind(unix, ALONE);
    const fresh = await bind(unix, ours);
    old.close();
    const accepted = fresh.accept();
    using _client = await Deno.connect({ transport: "unix", path });
    (await accepted).close();
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), [
      "l.sock",
    ]);
    fresh.close();
    assertEquals([...Deno.readDirSync(folder)], []);
    await Deno.writeTextFile(path, "precious");
    await assertRejects(() => bind(unix, ours), BindError, "no socket");
    assertEquals(await Deno.readTextFile(path), "precious");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bind: who knocks until somebody listens is not reset", async () => {
  const knocker = new Worker(new URL("./knocker.ts", import.meta.url), {
    type: "module",
  });
  const heard = () =>
    new Promise((resolve) =>
      knocker.addEventListener("message", ({ data }) => resolve(data), {
        once: true,
      })
    );
  try {
    for (let i = 0; i < 40; i++) {
      const [port = 0] = freePorts(1);
      const knocks = heard();
      knocker.postMessage(port);
      assertEquals(await knocks, "refused");
      const served = heard();
      using socket = await bind(address(`127.0.0.1:${port}`), ALONE);
      const accepted = await Promise.race([socket.accept(), served]);
      assert(typeof accepted === "object", `${accepted}`);
      using conn = accepted as Deno.Conn;
      await conn.write(new Uint8Array(1));
      assertEquals(await served, "served");
    }
  } finally {
    knocker.terminate();
  }
});
