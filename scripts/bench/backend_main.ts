/**
 * The backends that nginx can't be: one answers 64 bytes for each 64 bytes, one
 * reads chunked uploads to their end and answers how many bytes they had. Their
 * ports are the arguments.
 *
 * @module
 */
import { PONG } from "./cases.ts";
import { UploadReader } from "./upload_reader.ts";

const PING_BYTES = 64;
const encoder = new TextEncoder();
const pong = encoder.encode(PONG);

const [pongPort, sinkPort] = Deno.args.map(Number);
serve(pongPort!, answerPings);
serve(sinkPort!, answerUploads);

async function serve(
  port: number,
  answer: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({
    hostname: "127.0.0.1",
    port,
    tcpBacklog: 4096,
  });
  for (;;) {
    const conn = await accept(listener);
    if (conn === undefined) continue;
    conn.setNoDelay();
    answer(conn).catch((thrown) => {
      // Who measures counts what he did not get.
      if (!isEnd(thrown)) console.error(thrown);
    }).finally(() => conn.close());
  }
}

/** The next one; undefined for one that is gone before it is accepted. */
async function accept(
  listener: Deno.TcpListener,
): Promise<Deno.TcpConn | undefined> {
  try {
    return await listener.accept();
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotConnected)) throw thrown;
    return undefined;
  }
}

async function answerPings(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(4096);
  let held = 0;
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return;
    held += count;
    for (; held >= PING_BYTES; held -= PING_BYTES) await writeAll(conn, pong);
  }
}

async function answerUploads(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(256 << 10);
  const reader = new UploadReader();
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return;
    for (const bytes of reader.read(buffer.subarray(0, count))) {
      const body = `${bytes}\n`;
      await writeAll(
        conn,
        encoder.encode(
          `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        ),
      );
    }
  }
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  let sent = await conn.write(bytes);
  while (sent < bytes.length) sent += await conn.write(bytes.subarray(sent));
}

function isEnd(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.ConnectionReset ||
    thrown instanceof Deno.errors.BrokenPipe;
}
