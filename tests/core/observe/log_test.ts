import { createLog, type LogOptions } from "../../../core/observe/log.ts";
import { assertEquals } from "../../support/assert.ts";

function memory(options: LogOptions = {}) {
  const lines: string[] = [];
  const log = createLog({
    wall: () => 1_700_000_000_123,
    write: (line) => lines.push(line),
    ...options,
  });
  return { log, lines };
}

Deno.test("createLog() writes one line of JSON per record", () => {
  const { log, lines } = memory();
  log.info("Listening", { address: "127.0.0.1:80" });
  log.warn("Odd");

  assertEquals(lines, [
    '{"time":"2023-11-14T22:13:20.123Z","level":"info","message":"Listening","address":"127.0.0.1:80"}\n',
    '{"time":"2023-11-14T22:13:20.123Z","level":"warn","message":"Odd"}\n',
  ]);
});

Deno.test("createLog() leaves out records below its level", () => {
  const { log, lines } = memory({ level: "warn" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");

  assertEquals(lines.map((line) => JSON.parse(line).message), ["c", "d"]);
});

Deno.test("CoreLog.with() adds fields, the nearest ones win", () => {
  const { log, lines } = memory({ fields: { worker: 1, plugin: "none" } });
  log.with({ plugin: "hello" }).info("x", { n: 1 });
  log.info("y");

  const [first, second] = lines.map((line) => JSON.parse(line));
  assertEquals([first.worker, first.plugin, first.n], [1, "hello", 1]);
  assertEquals([second.worker, second.plugin], [1, "none"]);
});

Deno.test("createLog() makes logs that know nothing of each other", () => {
  const a = memory({ level: "debug" });
  const b = memory({ level: "error" });
  a.log.debug("x");
  b.log.debug("x");

  assertEquals([a.lines.length, b.lines.length], [1, 0]);
});

Deno.test("createLog() counts lines that can't be written and does not throw", () => {
  const { log } = memory({
    write() {
      throw new Deno.errors.BrokenPipe();
    },
  });
  log.with({ a: 1 }).error("x");
  log.error("y");

  assertEquals(log.lost, 2);
});

/** Runs a program that logs to the real standard error. */
async function run(code: string) {
  const log = import.meta.resolve("../../../core/observe/log.ts");
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const program = `import { createLog } from "${log}";\n${code}`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const { code: status, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", `--config=${config}`, file],
      stdout: "null",
    }).output();
    const lines = new TextDecoder().decode(stderr).trimEnd().split("\n");
    return { status, messages: lines.map((line) => JSON.parse(line).message) };
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("createLog() loses no line at Deno.exit() in the same turn", async () => {
  const { status, messages } = await run(`
    const log = createLog();
    for (let i = 0; i < 3; i++) log.info("line " + i);
    Deno.exit(7);
  `);

  assertEquals(status, 7);
  assertEquals(messages, ["line 0", "line 1", "line 2"]);
});

Deno.test("CoreLog.flush() waits until standard error has all lines", async () => {
  const { messages } = await run(`
    const log = createLog();
    for (let i = 0; i < 5000; i++) log.info("line " + i);
    await log.flush();
    process.kill(Deno.pid, "SIGKILL");
  `);

  assertEquals(messages.length, 5000);
  assertEquals(messages.at(-1), "line 4999");
});
