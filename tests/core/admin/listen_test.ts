import { serveAdmin } from "../../../core/admin/listen.ts";
import type { AdminConfig } from "../../../core/config/config.ts";
import { RefusedError } from "../../../core/data_plane/control.ts";
import { parseListenAddress } from "../../../core/net/address.ts";
import { type Clock, systemClock } from "../../../core/net/clock.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { FakeLog, FakeSource } from "./fake_source.ts";

Deno.test("serveAdmin answers over TCP on the port that it tells", async () => {
  const admin = await serve("127.0.0.1:0");
  assertMatch(admin.address, /^127\.0\.0\.1:\d+$/);
  const answer = await fetch(`http://${admin.address}/api/status`);
  assertEquals(answer.status, 200);
  assertEquals((await answer.json()).state, "ready");
  await admin.shutdown();
});

Deno.test("serveAdmin checks the Host header", async () => {
  const admin = await serve("localhost:0");
  const status = async (host: string) =>
    (await exchange(
      admin.address,
      `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n`,
    ))
      .split(" ")[1];
  assertEquals(await status("localhost"), "200");
  assertEquals(await status("evil.example"), "403");
  await admin.shutdown();
});

const PATHS: readonly [target: string, status: string, reached?: string][] = [
  ["/plugins/p/a/../b", "200", "/b"],
  ["/plugins/p/a%0Ab%2Fc%25", "200", "/a%0Ab%2Fc%25"],
  ["/plugins/%70/x", "200", "/x"],
  ["/plugins/p/../../healthz", "200"],
  ["/plugins/p/../../x/plugins/p/y", "404"],
  ["/plugins/p/..", "404"],
  ["/%70lugins/p/x", "404"],
  ["/plugins/..", "200"],
  ["/plugins/..\\\\evil.example", "404"],
  ["/plugins/p", "308"],
];

Deno.test("serveAdmin finds routes by the path that the URL has, however it is written", async () => {
  const source = new FakeSource();
  const body = new Uint8Array(0);
  source.pluginAnswer = { kind: "response", status: 200, headers: [], body };
  const admin = await serve("127.0.0.1:0", { source });
  for (const [target, status, reached] of PATHS) {
    const text = await exchange(
      admin.address,
      `GET ${target} HTTP/1.1\r\nHost: localhost\r\n`,
    );
    assertEquals([target, text.split(" ")[1]], [target, status]);
    assertEquals(
      source.pluginRequests.splice(0).map(({ url }) => url),
      reached === undefined ? [] : [`http://localhost${reached}`],
    );
  }
  await admin.shutdown();
});

Deno.test("serveAdmin asks for the configured token", async () => {
  const admin = await serve("127.0.0.1:0", { token: "sécret" });
  const url = `http://${admin.address}/api/status`;
  const without = await fetch(url);
  assertEquals(without.status, 401);
  await without.body?.cancel();
  // As curl sends it: the token's bytes.
  const text = await exchange(
    admin.address,
    `GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sécret\r\n`,
  );
  assertMatch(text, /^HTTP\/1\.1 200 /);
  await admin.shutdown();
});

Deno.test("serveAdmin answers HEAD with the length of GET's body and no body", async () => {
  const admin = await serve("127.0.0.1:0");
  const get = await fetch(`http://${admin.address}/healthz`);
  const length = (await get.arrayBuffer()).byteLength;
  const text = await exchange(
    admin.address,
    "HEAD /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n",
  );
  assertStringIncludes(text, `content-length: ${length}\r\n`);
  assert(text.endsWith("\r\n\r\n"));
  await admin.shutdown();
});

Deno.test("serveAdmin answers over a unix socket, whatever the Host header, and removes the file", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/admin.sock`;
    const admin = await serve(`unix:${path}`);
    assertEquals(admin.address, `unix:${path}`);
    const text = await exchange(
      admin.address,
      "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n",
    );
    assertMatch(text, /^HTTP\/1\.1 200 /);
    await admin.shutdown();
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  });
});

Deno.test("serveAdmin replaces a socket file that nobody serves", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/admin.sock`;
    const stale = Deno.listen({ transport: "unix", path: `${folder}/old` });
    // Deno removes the file with the listener, so it is moved away first.
    await Deno.rename(`${folder}/old`, path);
    stale.close();
    const admin = await serve(`unix:${path}`);
    await admin.shutdown();
  });
});

Deno.test("serveAdmin refuses a socket file that another process serves, and leaves it", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/admin.sock`;
    const first = await serve(`unix:${path}`);
    const refused = await assertRejects(
      () => serve(`unix:${path}`),
      RefusedError,
    );
    assertStringIncludes(
      refused.message,
      `Cannot serve the admin interface on unix:${path}: Address already in use`,
    );
    const text = await exchange(
      first.address,
      "GET /healthz HTTP/1.1\r\nHost: a\r\n",
    );
    assertMatch(text, /^HTTP\/1\.1 200 /);
    await first.shutdown();
  });
});

Deno.test("serveAdmin refuses a port in use with address and reason", async () => {
  const first = await serve("127.0.0.1:0");
  const refused = await assertRejects(() => serve(first.address), RefusedError);
  assertStringIncludes(
    refused.message,
    `Cannot serve the admin interface on ${first.address}: Address already in use`,
  );
  await first.shutdown();
});

Deno.test("serveAdmin refuses an address beyond loopback without a token", async () => {
  for (const address of ["0.0.0.0:0", "[::]:0", "proxy.internal:0"]) {
    const refused = await assertRejects(() => serve(address), RefusedError);
    assertEquals(
      refused.message,
      `Cannot serve the admin interface on ${address}: admin.token must be set where other machines can reach the address`,
    );
  }
});

Deno.test("serveAdmin takes an address beyond loopback with a token", async () => {
  const admin = await serve("0.0.0.0:0", { token: "secret" });
  assertMatch(admin.address, /^0\.0\.0\.0:\d+$/);
  await admin.shutdown();
});

Deno.test("serveAdmin prints nothing, and refuses where DENO_SERVE_ADDRESS would move it", async () => {
  // In a process of its own: the environment is that of all tests here.
  const code = `
    import { serveAdmin } from ${literal("../../../core/admin/listen.ts")};
    import { parseListenAddress } from ${
    literal("../../../core/net/address.ts")
  };
    import { FakeLog, FakeSource } from ${literal("./fake_source.ts")};
    const address = parseListenAddress("127.0.0.1:0");
    const config = { address, token: undefined, backendCluster: undefined };
    try {
      await (await serveAdmin(new FakeSource(), config, new FakeLog())).shutdown();
    } catch (thrown) {
      console.log(thrown.message);
    }`;
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const run = async (env: Record<string, string>) => {
    const { code: exit, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: [
          "run",
          "-A",
          "--quiet",
          "--no-check",
          "--config",
          config,
          "data:application/javascript," + encodeURIComponent(code),
        ],
        env,
      },
    ).output();
    const output = [stdout, stderr].map((bytes) =>
      new TextDecoder().decode(bytes)
    ).join("");
    assertEquals(exit, 0, output);
    return output;
  };
  assertEquals(await run({}), "");
  assertEquals(
    await run({ DENO_SERVE_ADDRESS: "tcp:0.0.0.0:0" }),
    "Cannot serve the admin interface on 127.0.0.1:0: DENO_SERVE_ADDRESS must be unset as it moves the address\n",
  );
});

Deno.test("AdminServer.shutdown ends at once with idle and half-sent connections, and twice", async () => {
  const clock = new FakeClock();
  const admin = await serve("127.0.0.1:0", { clock });
  const idle = await connect(admin.address);
  const half = await connect(admin.address);
  await half.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHo"));
  await admin.shutdown();
  await admin.shutdown();
  assertEquals(clock.pending, 0);
  idle.close();
  half.close();
  await assertRejects(() => connect(admin.address));
});

Deno.test("AdminServer.shutdown waits for an answer that is under way", async () => {
  const source = new SlowSource();
  const admin = await serve("127.0.0.1:0", { source });
  const answer = fetch(`http://${admin.address}/api/status`);
  await source.asked.promise;
  const down = admin.shutdown();
  source.release.resolve();
  assertEquals((await (await answer).json()).state, "ready");
  await down;
});

Deno.test("AdminServer.shutdown cuts an answer that takes longer than a second", async () => {
  const clock = new FakeClock();
  const source = new SlowSource();
  const admin = await serve("127.0.0.1:0", { source, clock });
  const cut = assertRejects(() => fetch(`http://${admin.address}/api/status`));
  await source.asked.promise;
  let over = false;
  const down = admin.shutdown().then(() => over = true);
  clock.advance(999);
  assertEquals(over, false);
  clock.advance(1);
  await down;
  await cut;
  assertEquals(clock.pending, 0);
});

Deno.test("AdminServer.shutdown lets an answer that is just done arrive", async () => {
  const source = new SlowSource();
  source.sessions = 10_000;
  const admin = await serve("127.0.0.1:0", { source });
  const url = `http://${admin.address}/api/sessions?limit=10000`;
  const answer = fetch(url).then((answer) => answer.json());
  await source.asked.promise;
  source.release.resolve();
  await admin.shutdown();
  assertEquals((await answer).sessions.length, 10_000);
});

Deno.test("AdminServer.shutdown answers 503 to what comes while it waits", async () => {
  const source = new SlowSource();
  const admin = await serve("127.0.0.1:0", { source });
  const early = fetch(`http://${admin.address}/api/status`);
  await source.asked.promise;
  const down = admin.shutdown();
  const late = await fetch(`http://${admin.address}/api/drain`, {
    method: "POST",
  });
  assertEquals(late.status, 503);
  assertEquals(late.headers.get("x-content-type-options"), "nosniff");
  await late.body?.cancel();
  assertEquals(source.state, "ready");
  source.release.resolve();
  await (await early).body?.cancel();
  await down;
});

/** Reports only when it is released. */
class SlowSource extends FakeSource {
  readonly asked = Promise.withResolvers<void>();
  readonly release = Promise.withResolvers<void>();

  override async report(sessions: number) {
    this.asked.resolve();
    await this.release.promise;
    return await super.report(sessions);
  }
}

function serve(
  address: string,
  options: { token?: string; source?: FakeSource; clock?: Clock } = {},
) {
  const config: AdminConfig = {
    address: parseListenAddress(address),
    token: options.token,
    backendCluster: undefined,
  };
  const { source = new FakeSource(), clock = systemClock } = options;
  return serveAdmin(source, config, new FakeLog(), clock);
}

function connect(address: string): Promise<Deno.Conn> {
  const parsed = parseListenAddress(address);
  return parsed.kind === "unix"
    ? Deno.connect({ transport: "unix", path: parsed.path })
    : Deno.connect({ hostname: parsed.hostname, port: parsed.port });
}

/** Sends a head and reads the answer to its end. */
async function exchange(address: string, head: string): Promise<string> {
  const conn = await connect(address);
  const text = `${head}Connection: close\r\n\r\n`;
  await conn.write(new TextEncoder().encode(text));
  return await new Response(conn.readable).text();
}

async function withFolder(
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function literal(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href);
}
