import {
  type StderrOutput,
  StderrWriter,
} from "../../../core/observe/stderr_writer.ts";
import { assert, assertEquals } from "../../support/assert.ts";

/** An output that takes bytes when told to. */
class FakeOutput implements StderrOutput {
  readonly writes: string[] = [];
  /** Bytes taken by one write. */
  limit = Infinity;
  failing = false;
  #waiting: (() => void)[] = [];
  held = false;

  async write(bytes: Uint8Array): Promise<number> {
    if (this.held) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.writeSync(bytes);
  }

  writeSync(bytes: Uint8Array): number {
    if (this.failing) throw new Deno.errors.BrokenPipe();
    const taken = bytes.subarray(0, this.limit);
    this.writes.push(new TextDecoder().decode(taken));
    return taken.length;
  }

  release(): void {
    this.held = false;
    for (const resolve of this.#waiting) resolve();
  }
}

Deno.test("StderrWriter writes lines of one turn at once", async () => {
  const output = new FakeOutput();
  const writer = new StderrWriter({ output });
  writer.write("a\n");
  writer.write("b\n");
  await writer.flush();

  assertEquals(output.writes, ["a\nb\n"]);
});

Deno.test("StderrWriter writes what comes during a write with the next one", async () => {
  const output = new FakeOutput();
  output.held = true;
  const writer = new StderrWriter({ output });
  writer.write("a\n");
  await Promise.resolve();
  writer.write("b\n");
  writer.write("c\n");
  output.release();
  await writer.flush();

  assertEquals(output.writes, ["a\n", "b\nc\n"]);
});

Deno.test("StderrWriter loops over partial writes", async () => {
  const output = new FakeOutput();
  output.limit = 2;
  const writer = new StderrWriter({ output });
  writer.write("abcde\n");
  await writer.flush();

  assertEquals(output.writes, ["ab", "cd", "e\n"]);
  assertEquals(writer.lost, 0);
});

Deno.test("StderrWriter counts lines that a broken pipe does not take and goes on", async () => {
  const output = new FakeOutput();
  output.failing = true;
  const writer = new StderrWriter({ output });
  writer.write("a\n");
  writer.write("b\n");
  await writer.flush();
  output.failing = false;
  writer.write("c\n");
  await writer.flush();

  assertEquals(writer.lost, 2);
  assertEquals(output.writes, ["c\n"]);
});

Deno.test("StderrWriter drops and counts lines while too many are queued", async () => {
  const output = new FakeOutput();
  output.held = true;
  const writer = new StderrWriter({ output, maxQueued: 6 });
  writer.write("a\n");
  await Promise.resolve();
  for (const line of ["b\n", "c\n", "d\n", "e\n"]) writer.write(line);
  output.release();
  await writer.flush();

  assertEquals(writer.lost, 1);
  assertEquals(output.writes, ["a\n", "b\nc\nd\n"]);
});

Deno.test("StderrWriter.flush() gives up on a reader that stands still", async () => {
  const output = new FakeOutput();
  output.held = true;
  const writer = new StderrWriter({ output, patience: 1 });
  writer.write("a\n");
  await writer.flush();

  assertEquals(output.writes, []);
  output.release();
  await writer.flush();
});

Deno.test("StderrWriter.flushSync() writes what is queued", async () => {
  const output = new FakeOutput();
  const writer = new StderrWriter({ output });
  writer.write("a\n");
  writer.flushSync();

  assertEquals(output.writes, ["a\n"]);
  await writer.flush();
  assertEquals(output.writes, ["a\n"]);
});

Deno.test("StderrWriter.flushSync() does not wait behind a write under way", async () => {
  const output = new FakeOutput();
  output.held = true;
  const writer = new StderrWriter({ output });
  writer.write("a\n");
  await Promise.resolve();
  writer.write("b\n");
  writer.flushSync();

  assert(output.writes.length === 0);
  output.release();
  await writer.flush();
});
