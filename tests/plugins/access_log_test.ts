import accessLog from "../../plugins/access_log.ts";
import type { Session, Transaction } from "../../core/plugin.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import {
  checkOptions,
  fakeAttempt,
  fakeSession,
  fakeTransaction,
  OptionsError,
  type RunningPlugin,
  startPlugin,
} from "../../core/testing/views.ts";

/** Runs the plugin with a file, gives its lines. */
async function logged(
  options: Readonly<Record<string, unknown>>,
  use: (plugin: RunningPlugin) => void | Promise<void>,
): Promise<string[]> {
  const path = await Deno.makeTempFile();
  try {
    const plugin = await startPlugin(accessLog, { path, ...options });
    try {
      await use(plugin);
    } finally {
      await plugin.close();
    }
    return (await Deno.readTextFile(path)).split("\n").slice(0, -1);
  } finally {
    await Deno.remove(path);
  }
}

/** A transaction from its request on, as the core runs the plugin's handlers. */
function run({ handlers }: RunningPlugin, transaction: Transaction): void {
  if (transaction.request?.product !== undefined) {
    handlers.foundProduct?.(transaction.request);
  }
  handlers.transactionClose?.(transaction);
}

function end({ handlers }: RunningPlugin, session: Session): void {
  handlers.finish?.(session);
}

Deno.test("access-log writes JSON by default with the documented keys", async () => {
  const [line] = await logged({}, (plugin) =>
    run(
      plugin,
      fakeTransaction({
        request: {
          method: "POST",
          target: "/pay?x=1",
          headers: { "user-agent": "curl/8", referer: "http://a/" },
        },
        status: 502,
        attempts: [
          fakeAttempt({
            connection: undefined,
            status: 0,
            error: {
              code: "connect_refused",
              side: "backend",
              message: "refused",
            },
          }),
          fakeAttempt({ number: 2, backend: "a2", status: 502 }),
        ],
        error: { code: "bad_response", side: "backend", message: "bad" },
      }),
    ));

  assertEquals(JSON.parse(line ?? ""), {
    time: "2023-11-14T22:13:20.000Z",
    session: "s1",
    transaction: "t1",
    client: "192.0.2.1",
    protocol: "HTTP/1.1",
    method: "POST",
    target: "/pay?x=1",
    host: "example.com",
    status: 502,
    bytesIn: 100,
    bytesOut: 230,
    durationMs: 12.5,
    product: "shop",
    cluster: "api",
    backend: "a2",
    attempts: [
      { id: "t1.1", backend: "a1", error: "connect_refused" },
      { id: "t1.2", backend: "a2", status: 502, reused: false },
    ],
    error: { code: "bad_response", side: "backend" },
    userAgent: "curl/8",
    referer: "http://a/",
    listener: "web",
  });
});

Deno.test("access-log logs the request line as it came", async () => {
  const [line] = await logged({ format: "common" }, (plugin) => {
    const transaction = fakeTransaction({ request: { target: "/old" } });
    assert(transaction.request);
    plugin.handlers.foundProduct?.(transaction.request);
    transaction.request.target = "/rewritten";
    plugin.handlers.transactionClose?.(transaction);
  });

  assertStringIncludes(line ?? "", '"GET /old HTTP/1.1"');
});

Deno.test("access-log logs transactions whose request never parsed", async () => {
  const lines = await logged({ format: "json" }, (plugin) =>
    run(
      plugin,
      fakeTransaction({
        request: null,
        status: 400,
        error: { code: "bad_request", side: "client", message: "no" },
      }),
    ));
  const parsed = JSON.parse(lines[0] ?? "");

  assertEquals(parsed.client, "192.0.2.1");
  assertEquals(parsed.protocol, "HTTP");
  assertEquals(parsed.status, 400);
  assertEquals("method" in parsed, false);
});

Deno.test("access-log logs requests that found no product", async () => {
  const [line] = await logged({ format: "common" }, (plugin) =>
    run(
      plugin,
      fakeTransaction({
        request: { target: "/x", product: undefined },
        status: 404,
      }),
    ));

  assertStringIncludes(line ?? "", '"GET /x HTTP/1.1" 404 ');
});

Deno.test("access-log writes a line for a TCP session, none for an HTTP one", async () => {
  const lines = await logged({}, (plugin) => {
    end(plugin, fakeSession());
    end(
      plugin,
      fakeSession({
        protocol: "tcp",
        listener: "pg",
        startedAt: plugin.clock.wall() - 1500,
        backend: "db1",
        bytesIn: 3,
        bytesOut: 5,
      }),
    );
  });

  assertEquals(lines.length, 1);
  const { time: _, ...rest } = JSON.parse(lines[0] ?? "");
  assertEquals(rest, {
    session: "s1",
    client: "192.0.2.1",
    protocol: "TCP",
    bytesIn: 3,
    bytesOut: 5,
    durationMs: 1500,
    backend: "db1",
    listener: "pg",
  });
});

Deno.test("access-log with tcp: false has no handler at finish", async () => {
  await logged({ tcp: false }, (plugin) => {
    assertEquals(Object.keys(plugin.handlers), [
      "foundProduct",
      "transactionClose",
    ]);
  });
});

Deno.test("access-log with errorsOnly leaves out what went well", async () => {
  const error = { code: "x", side: "client", message: "" } as const;
  const lines = await logged({ errorsOnly: true }, (plugin) => {
    for (const status of [200, 304, 404, 502, 0]) {
      run(plugin, fakeTransaction({ status }));
    }
    run(plugin, fakeTransaction({ status: 200, error }));
    end(plugin, fakeSession({ protocol: "tcp" }));
    end(plugin, fakeSession({ protocol: "tcp", error }));
  });
  const statuses = lines.map((line) => JSON.parse(line).status);

  assertEquals(statuses, [404, 502, 0, 200, undefined]);
});

Deno.test("access-log with sample writes that share of lines", async () => {
  const count = async (sample: number) =>
    (await logged({ sample, format: "common" }, (plugin) => {
      for (let i = 0; i < 2_000; i++) run(plugin, fakeTransaction());
    })).length;

  assertEquals(await count(0), 0);
  assertEquals(await count(1), 2_000);
  // Nine standard deviations: this fails once in 10^18 runs.
  const half = await count(0.5);
  assert(half > 800 && half < 1_200, `${half} of 2000`);
});

Deno.test("access-log loses no line when its instance ends", async () => {
  const lines = await logged({ format: "common" }, (plugin) => {
    for (let i = 0; i < 3_000; i++) {
      run(plugin, fakeTransaction({ request: { target: `/${i}` } }));
    }
  });

  assertEquals(lines.length, 3_000);
  assertStringIncludes(lines.at(-1) ?? "", "/2999 ");
});

Deno.test("access-log writes after 100 ms without waiting for more", async () => {
  const path = await Deno.makeTempFile();
  const plugin = await startPlugin(accessLog, { path, format: "common" });
  try {
    using watcher = Deno.watchFs(path);
    run(plugin, fakeTransaction());
    plugin.clock.advance(100);
    for await (const _ of watcher) {
      if ((await Deno.stat(path)).size > 0) break;
    }

    assertStringIncludes(await Deno.readTextFile(path), '"GET / HTTP/1.1"');
  } finally {
    await plugin.close();
    await Deno.remove(path);
  }
});

Deno.test("access-log appends to a file that exists", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "before\n");
  const plugin = await startPlugin(accessLog, { path, format: "common" });
  run(plugin, fakeTransaction());
  await plugin.close();
  const [first, second] = (await Deno.readTextFile(path)).split("\n");
  await Deno.remove(path);

  assertEquals(first, "before");
  assertStringIncludes(second ?? "", '"GET / HTTP/1.1"');
});

Deno.test("access-log goes on through a full disk: counted, one log line a minute", async () => {
  const plugin = await startPlugin(accessLog, { path: "/dev/full" });
  for (let minute = 0; minute < 2; minute++) {
    for (let i = 0; i < 3; i++) {
      // Longer than a batch: written at once.
      run(
        plugin,
        fakeTransaction({ request: { target: `/${"x".repeat(70_000)}` } }),
      );
    }
    plugin.clock.advance(60_000);
  }
  await plugin.close();

  assertStringIncludes(
    plugin.metrics(),
    'headrace_plugin_access_log_lines_lost_total{reason="write_failed"} 6\n',
  );
  const [first, ...others] = plugin.log.records;
  assertEquals(first?.level, "error");
  assertEquals(first?.fields["path"], "/dev/full");
  assertEquals(first?.fields["lines"], 1);
  assert(first?.fields["error"] instanceof Error);
  const told = others.reduce((n, r) => n + Number(r.fields["lines"]), 1);
  assertEquals(told, 6);
  assert(others.length <= 2, `${others.length + 1} log lines`);
});

Deno.test("access-log without a path writes to standard output, all of it on close", async () => {
  const support = import.meta.resolve("../../core/testing/views.ts");
  const plugin = import.meta.resolve("../../plugins/access_log.ts");
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const program = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    program,
    `import { fakeTransaction, startPlugin } from "${support}";
    import accessLog from "${plugin}";
    const { handlers, close } = await startPlugin(accessLog);
    for (let i = 0; i < 5000; i++) handlers.transactionClose(fakeTransaction());
    await close();`,
  );
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `--config=${config}`, program],
    stderr: "inherit",
  }).output();
  await Deno.remove(program);
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");

  assert(success);
  assertEquals(lines.length, 5_000);
  assertEquals(JSON.parse(lines.at(-1) ?? "").transaction, "t1");
});

Deno.test("access-log counts the lines that it wrote", async () => {
  const path = await Deno.makeTempFile();
  const plugin = await startPlugin(accessLog, { path });
  run(plugin, fakeTransaction());
  run(plugin, fakeTransaction());
  await plugin.close();
  await Deno.remove(path);

  assertStringIncludes(
    plugin.metrics(),
    "headrace_plugin_access_log_lines_total 2\n",
  );
});

Deno.test("access-log refuses a file that it can't open, with the reason", async () => {
  const error = await assertRejects(
    () => startPlugin(accessLog, { path: "/nonexistent/access.log" }),
    Error,
    'Cannot open access log "/nonexistent/access.log": ',
  );
  assert(error.cause instanceof Deno.errors.NotFound);
});

Deno.test("access-log refuses options that it does not know, with their path", async () => {
  for (
    const [options, path] of [
      [{ format: "xml" }, "format: "],
      [{ sample: 2 }, "sample: "],
      [{ errorsOnly: "yes" }, "errorsOnly: "],
      [{ pth: "x" }, "pth"],
    ] as const
  ) {
    await assertRejects(
      () => checkOptions(accessLog, options),
      OptionsError,
      path,
    );
  }
});

Deno.test("access-log takes no options at all", async () => {
  assertEquals(await checkOptions(accessLog, undefined), {
    format: "json",
    sample: 1,
    errorsOnly: false,
    tcp: true,
  });
});
