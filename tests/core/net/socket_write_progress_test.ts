import { assertEquals } from "../../support/assert.ts";
import { Buffers } from "../../../core/net/buffer_pool.ts";
import type { ByteConn } from "../../../core/net/byte_conn.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { Socket } from "../../../core/net/socket.ts";
import { FakeClock } from "../../support/clock.ts";

/** A peer that takes a byte whenever a test says so. */
class SlowConn implements ByteConn {
  #take: (() => void) | undefined;
  #end: ((reason: Error) => void) | undefined;

  write(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#take = () => resolve(1);
      this.#end = reject;
    });
  }

  take(): void {
    this.#take?.();
  }

  read(): Promise<number | null> {
    return Promise.resolve(null);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#end?.(new Deno.errors.Interrupted("closed"));
  }
}

Deno.test("Socket.limitWrites: counts since the peer last took a byte, not since the write began", async () => {
  const clock = new FakeClock();
  const conn = new SlowConn();
  const socket = new Socket(conn, {
    buffers: new Buffers(),
    deadlines: new Deadlines(clock),
    closedCode: "client_closed",
    total: { in: 0, out: 0 },
    buffer: "small",
  });
  socket.limitWrites(5_000, "client_write_timeout");
  const written = socket.write(new Uint8Array(10));
  for (let i = 0; i < 10; i++) {
    clock.advance(4_000);
    conn.take();
    // The write goes on in a microtask.
    await new Promise((resolve) => setTimeout(resolve));
  }
  await written;
  assertEquals(socket.bytesOut, 10);
  socket.close();
});
