import block from "../../plugins/block.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import {
  checkOptions,
  fakeRequest,
  fakeSession,
  OptionsError,
  type RunningPlugin,
  startPlugin,
} from "../../core/testing/views.ts";

async function kindAt(
  { handlers }: RunningPlugin,
  address: string,
  internal = false,
): Promise<string> {
  const session = fakeSession({ remote: { address, port: 1 }, internal });
  const verdict = handlers.accept === undefined
    ? await handlers.foundProduct?.(fakeRequest({}, { session }))
    : await handlers.accept(session);
  return verdict?.kind ?? "in";
}

Deno.test("block closes at accept who is listed, but who is allowed", async () => {
  const plugin = await startPlugin(block, {
    block: { addresses: ["192.0.2.0/24"] },
    allow: { addresses: ["192.0.2.7"] },
  });
  assertEquals(await kindAt(plugin, "192.0.2.1"), "close");
  assertEquals(await kindAt(plugin, "192.0.2.7"), "in");
  assertEquals(await kindAt(plugin, "198.51.100.1"), "in");
  assertEquals(await kindAt(plugin, "192.0.2.1", true), "in");
  assertStringIncludes(
    plugin.metrics(),
    'headrace_plugin_block_blocked_total{at="accept"} 1',
  );
});

Deno.test("block lets in only who is allowed, where told so", async () => {
  const plugin = await startPlugin(block, {
    at: "request",
    allow: { addresses: ["10.0.0.0/8"] },
    otherwise: "block",
  });
  assertEquals(await kindAt(plugin, "10.1.1.1"), "in");
  assertEquals(await kindAt(plugin, "192.0.2.1"), "respond");
  assertEquals(await kindAt(plugin, "/run/unix.sock"), "respond");
});

Deno.test("block answers by its status, and only where its condition holds", async () => {
  const { handlers } = await startPlugin(block, {
    at: "request",
    status: 0,
    when: 'req_path_in("/x", false)',
    block: { addresses: ["192.0.2.1"] },
  });
  assertEquals(await handlers.foundProduct?.(fakeRequest()), undefined);
  const verdict = await handlers.foundProduct?.(fakeRequest({ target: "/x" }));
  assertEquals(verdict?.kind, "close");
});

Deno.test("block rereads its files", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "192.0.2.1\n");
    const plugin = await startPlugin(block, { block: { files: [file] } });
    assertEquals(await kindAt(plugin, "192.0.2.1"), "close");
    await Deno.writeTextFile(file, "# another\n192.0.2.22\n");
    await eventually("the file to be read again", async () => {
      plugin.clock.advance(2_000);
      return await kindAt(plugin, "192.0.2.22") === "close";
    });
    assertEquals(await kindAt(plugin, "192.0.2.1"), "in");
    await plugin.close();
  } finally {
    await Deno.remove(file);
  }
});

/** A list on a server, and how it is asked. */
function serveList() {
  const state = { text: "192.0.2.1\n", status: 200, asked: [] as string[] };
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => {
      const known = request.headers.get("if-none-match") ?? "";
      state.asked.push(known);
      const etag = `"${state.text.length}"`;
      return known === etag
        ? new Response(null, { status: 304 })
        : new Response(state.text, { status: state.status, headers: { etag } });
    },
  );
  return {
    state,
    url: `http://127.0.0.1:${server.addr.port}/list`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("block fetches lists again, and keeps the last good one", async () => {
  await using list = serveList();
  const plugin = await startPlugin(block, {
    block: { urls: [{ url: list.url, refresh: "1m" }] },
  });
  const fetched = async (times: number) => {
    plugin.clock.advance(60_000);
    await eventually(
      "a fetch",
      () => list.state.asked.length === times && plugin.clock.pending > 0,
    );
  };
  assertEquals(await kindAt(plugin, "192.0.2.1"), "close");
  await fetched(2);
  assertEquals(list.state.asked, ["", '"10"']);
  list.state.text = "192.0.2.99\n";
  await fetched(3);
  assertEquals(await kindAt(plugin, "192.0.2.1"), "in");
  assertEquals(await kindAt(plugin, "192.0.2.99"), "close");
  list.state.text = "nonsense";
  await fetched(4);
  list.state.status = 500;
  await fetched(5);
  assertEquals(await kindAt(plugin, "192.0.2.99"), "close");
  assertEquals(plugin.log.records.length, 2);
  const metrics = plugin.metrics();
  for (const line of ['ok"} 2', 'unchanged"} 1', 'failed"} 2']) {
    assertStringIncludes(metrics, `block_fetches_total{result="${line}`);
  }
  await plugin.close();
  assertEquals(plugin.clock.pending, 0);
});

Deno.test("block is not set up without its list, unless it is not required", async () => {
  await using list = serveList();
  list.state.status = 503;
  const urls = [{ url: list.url }];
  const error = await assertRejects(() =>
    startPlugin(block, { block: { urls } })
  );
  assertStringIncludes(`${error}`, "it answers 503");
  const plugin = await startPlugin(block, {
    block: { urls: [{ url: list.url, required: false }] },
  });
  assertEquals(await kindAt(plugin, "192.0.2.1"), "in");
  assert(plugin.log.records.length > 0);
  await plugin.close();
});

const REFUSED:
  readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [{ block: { addresses: ["10.0.0.0/33"] } }, "block.addresses.0"],
    [{ when: "default_t()" }, "when: Cannot ask a condition at accept"],
    [{ block: { urls: [{ url: "file:///etc/passwd" }] } }, "block.urls.0.url"],
    [
      { block: { urls: [{ url: "http://a/", refresh: "10ms" }] } },
      "Expected at least 1s",
    ],
    [{ status: 200 }, "status"],
  ];
for (const [options, text] of REFUSED) {
  Deno.test(`block refuses ${JSON.stringify(options)}`, async () => {
    const error = await assertRejects(
      () => checkOptions(block, options),
      OptionsError,
    );
    assertStringIncludes(error.message, text);
  });
}
