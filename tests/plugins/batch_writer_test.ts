import {
  type BatchOutput,
  BatchWriter,
  type BatchWriterOptions,
} from "../../plugins/batch_writer.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { FakeClock } from "../support/clock.ts";

/** An output that does as each write's script says, then takes everything. */
class ScriptedOutput implements BatchOutput {
  readonly writes: string[] = [];
  readonly script: (number | Error | Promise<void>)[] = [];

  async write(bytes: Uint8Array): Promise<number> {
    const step = this.script.shift();
    if (step instanceof Promise) await step;
    if (step instanceof Error) throw step;
    const taken = typeof step === "number" ? bytes.subarray(0, step) : bytes;
    this.writes.push(new TextDecoder().decode(taken));
    return taken.length;
  }
}

function start(options: Partial<BatchWriterOptions> = {}) {
  const output = new ScriptedOutput();
  const clock = new FakeClock();
  const events: string[] = [];
  const heard = Promise.withResolvers<void>();
  const hear = (event: string) => {
    events.push(event);
    heard.resolve();
  };
  const writer = new BatchWriter({
    output,
    clock,
    onWritten: (lines) => hear(`written ${lines}`),
    onLost: (lines, reason) => hear(`lost ${lines} ${reason}`),
    ...options,
  });
  return { writer, output, clock, events, firstEvent: heard.promise };
}

Deno.test("BatchWriter writes all lines of 100 ms at once", async () => {
  const { writer, output, clock, events, firstEvent } = start();
  writer.write("a\n");
  clock.advance(99);
  writer.write("b\n");
  assertEquals(output.writes, []);
  clock.advance(1);
  await firstEvent;
  await writer.close();

  assertEquals(output.writes, ["a\nb\n"]);
  assertEquals(events, ["written 2"]);
  assertEquals(clock.pending, 0);
});

Deno.test("BatchWriter writes a batch as soon as it is full, lines whole", async () => {
  const { writer, output } = start({ batchBytes: 8 });
  for (const line of ["aaa\n", "bbb\n", "ccc\n"]) writer.write(line);
  await writer.close();

  assertEquals(output.writes, ["aaa\nbbb\n", "ccc\n"]);
});

Deno.test("BatchWriter writes a line longer than a batch in one write, in order", async () => {
  const { writer, output } = start({ batchBytes: 4 });
  for (const line of ["a\n", "bbbbbbbb\n", "c\n"]) writer.write(line);
  await writer.close();

  assertEquals(output.writes, ["a\n", "bbbbbbbb\n", "c\n"]);
});

Deno.test("BatchWriter writes characters of several bytes whole", async () => {
  const { writer, output } = start({ batchBytes: 4 });
  writer.write("éé\n");
  writer.write("é\n");
  writer.write("é\n");
  await writer.close();

  assertEquals(output.writes, ["éé\n", "é\n", "é\n"]);
});

Deno.test("BatchWriter takes more lines into a batch that waits for the output", async () => {
  const { writer, output, clock } = start();
  const blocked = Promise.withResolvers<void>();
  output.script.push(blocked.promise);
  writer.write("a\n");
  clock.advance(100);
  writer.write("b\n");
  clock.advance(100);
  writer.write("c\n");
  blocked.resolve();
  await writer.close();

  assertEquals(output.writes, ["a\n", "b\nc\n"]);
});

Deno.test("BatchWriter loops over partial writes", async () => {
  const { writer, output, events } = start();
  output.script.push(1, 2);
  writer.write("abcd\n");
  await writer.close();

  assertEquals(output.writes, ["a", "bc", "d\n"]);
  assertEquals(events, ["written 1"]);
});

Deno.test("BatchWriter counts lines that a full disk does not take and goes on", async () => {
  const { writer, output, clock, events, firstEvent } = start();
  output.script.push(new Error("No space left on device"));
  writer.write("a\n");
  writer.write("b\n");
  clock.advance(100);
  await firstEvent;
  writer.write("c\n");
  await writer.close();

  assertEquals(output.writes, ["c\n"]);
  assertEquals(events, ["lost 2 write_failed", "written 1"]);
});

Deno.test("BatchWriter ends a line that a failed write tore before it goes on", async () => {
  const { writer, output, clock, events, firstEvent } = start();
  output.script.push(5, new Error("No space left on device"));
  for (const line of ["aa\n", "bbbb\n", "cc\n"]) writer.write(line);
  clock.advance(100);
  await firstEvent;
  writer.write("dd\n");
  await writer.close();

  assertEquals(output.writes, ["aa\nbb", "\ndd\n"]);
  assertEquals(events, ["written 1", "lost 2 write_failed", "written 1"]);
});

Deno.test("BatchWriter counts no line twice when a write after a torn one fails", async () => {
  const { writer, output, clock, events, firstEvent } = start();
  const full = new Error("No space left on device");
  output.script.push(1, full, full);
  writer.write("aa\n");
  clock.advance(100);
  await firstEvent;
  writer.write("bb\n");
  await writer.close();

  assertEquals(events, ["lost 1 write_failed", "lost 1 write_failed"]);
});

Deno.test("BatchWriter treats a write that takes nothing as failed", async () => {
  const { writer, output, events } = start();
  output.script.push(0);
  writer.write("a\n");
  await writer.close();

  assertEquals(events, ["lost 1 write_failed"]);
});

Deno.test("BatchWriter holds no more than its bound and counts what it drops", async () => {
  const { writer, output, events } = start({ batchBytes: 4, maxQueued: 12 });
  const blocked = Promise.withResolvers<void>();
  output.script.push(blocked.promise);
  for (let i = 0; i < 5; i++) writer.write(`${i}aa\n`);
  assertEquals(events, ["lost 1 queue_full", "lost 1 queue_full"]);
  blocked.resolve();
  await writer.close();

  assertEquals(output.writes, ["0aa\n", "1aa\n", "2aa\n"]);
});

Deno.test("BatchWriter.close() gives up on an output that stands still and counts", async () => {
  const { writer, output, clock, events } = start({ batchBytes: 4 });
  const blocked = Promise.withResolvers<void>();
  output.script.push(blocked.promise);
  writer.write("aaa\n");
  writer.write("bbb\n");
  const closed = writer.close();
  clock.advance(5_000);
  await closed;

  assertEquals(events, ["lost 2 closed"]);
  blocked.resolve();
  // A macrotask: whatever the write sets off has happened by then.
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(events.length, 1);
  assertEquals(output.writes, ["aaa\n"]);
});

Deno.test("BatchWriter.write() after close() counts the line as lost", async () => {
  const { writer, events, output } = start();
  await writer.close();
  writer.write("a\n");

  assert(output.writes.length === 0);
  assertEquals(events, ["lost 1 closed"]);
});

Deno.test("BatchWriter keeps lines of several writers to one file whole", async () => {
  const path = await Deno.makeTempFile();
  const files: Deno.FsFile[] = [];
  try {
    const writers = await Promise.all(["a", "b"].map(async (name) => {
      const output = await Deno.open(path, { append: true });
      files.push(output);
      const { writer } = start({ output, batchBytes: 256 });
      return { name, writer };
    }));
    for (let i = 0; i < 2_000; i++) {
      for (const { name, writer } of writers) {
        writer.write(`${name.repeat(50)}\n`);
      }
      if (i % 100 === 0) await Promise.resolve();
    }
    await Promise.all(writers.map(({ writer }) => writer.close()));
    const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");

    assertEquals(lines.length, 4_000);
    assertEquals(lines.filter((line) => !/^(a{50}|b{50})$/.test(line)), []);
  } finally {
    for (const file of files) file.close();
    await Deno.remove(path);
  }
});
