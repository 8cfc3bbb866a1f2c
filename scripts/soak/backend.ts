/**
 * A backend that answers what the path tells, and misbehaves where it says so.
 *
 * | path | answer |
 * |---|---|
 * | `/bytes/SEED/LENGTH` | the seed's bytes; the query's letters: `c` in chunks, `u` up to the end, `i` behind 103s, `s` slowly |
 * | `/upload/SEED` | reads the body, says whether it is the seed's and how long it was |
 * | `/echo` | sends the body back while it comes |
 * | `/versions/NAME` | another body each {@linkcode VERSION} ms, cacheable for a second |
 * | `/fault/KIND` | none, or not all of it |
 *
 * @module
 */
import {
  type Head,
  isCut,
  MessageStream,
  requestFraming,
} from "./message_stream.ts";
import { Random } from "./random.ts";
import { ByteCheck, SeededBytes, seedOf } from "./seeded_bytes.ts";

/** Milliseconds until the bodies of `/versions/` are others. */
export const VERSION = 500;

/** A cached object may be as many bytes long. */
const MAX_VERSIONED = 300_000;

/** The body of a path at a version. */
export interface Versioned {
  readonly seed: number;
  readonly length: number;
}

/** What `/versions/NAME` is at a version, for the kind that `X-Kind` asks for. */
export function versioned(
  name: string,
  version: number,
  kind: string,
): Versioned {
  const seed = seedOf(`${name} ${version} ${kind}`);
  const random = new Random(seed);
  const large = random.chance(0.15);
  return { seed, length: random.below(large ? MAX_VERSIONED : 9_000) };
}

/** Whether it varies by `X-Kind`. */
export function varies(name: string): boolean {
  return Number(name) % 4 === 1;
}

/** Serves HTTP to the listener's end. */
export async function serveSoakBackend(
  listener: { accept(): Promise<Deno.Conn> },
): Promise<void> {
  for (;;) {
    let conn: Deno.Conn;
    try {
      conn = await listener.accept();
    } catch (thrown) {
      if (thrown instanceof Deno.errors.BadResource) return;
      // A TLS handshake that failed is its client's affair.
      continue;
    }
    serve(new MessageStream(conn));
  }
}

async function serve(stream: MessageStream): Promise<void> {
  try {
    for (;;) {
      const head = await stream.head();
      if (head === undefined) break;
      if (!await answer(stream, head)) break;
    }
  } catch (thrown) {
    if (!isCut(thrown)) throw thrown;
  } finally {
    stream.close();
  }
}

/** Answers one request; whether another may follow. */
async function answer(stream: MessageStream, head: Head): Promise<boolean> {
  const [method = "", target = ""] = head.first.split(" ");
  const [path = "", query = ""] = target.split("?");
  const [, what, first = "", second = ""] = path.split("/");
  const request = { stream, head, method, query };
  switch (what) {
    case "bytes":
      return await sendBytes(request, {
        seed: Number(first),
        length: Number(second),
      });
    case "upload":
      return await takeUpload(request, Number(first));
    case "echo":
      return await echo(request);
    case "versions":
      return await sendVersion(request, first);
    case "fault":
      return await fail(request, first);
  }
  await stream.body(requestFraming(head), () => {});
  await stream.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  return true;
}

interface Request {
  readonly stream: MessageStream;
  readonly head: Head;
  readonly method: string;
  readonly query: string;
}

async function sendBytes(
  request: Request,
  { seed, length }: Versioned,
  more = "",
): Promise<boolean> {
  const { stream, head, method, query } = request;
  await stream.body(requestFraming(head), () => {});
  if (query.includes("i")) {
    for (let i = 0; i < 2; i++) {
      await stream.write(
        `HTTP/1.1 103 Early Hints\r\nLink: </${i}.css>; rel=preload\r\n\r\n`,
      );
      await delay(2);
    }
  }
  const etag = `"${seed}-${length}"`;
  const common =
    `ETag: ${etag}\r\nAccept-Ranges: bytes\r\nContent-Type: text/plain\r\n${more}`;
  if (head.fields.get("if-none-match") === etag) {
    await stream.write(`HTTP/1.1 304 Not Modified\r\n${common}\r\n`);
    return true;
  }
  const range = rangeOf(head, length, etag);
  if (range !== undefined) {
    const { start, end } = range;
    await stream.write(
      `HTTP/1.1 206 Partial Content\r\n${common}Content-Range: bytes ${start}-${
        end - 1
      }/${length}\r\nContent-Length: ${end - start}\r\n\r\n`,
    );
    if (method !== "HEAD") await writeBytes(stream, seed, start, end);
    return true;
  }
  const open = query.includes("u");
  const chunked = query.includes("c");
  const framing = open
    ? "Connection: close\r\n"
    : chunked
    ? "Transfer-Encoding: chunked\r\n"
    : `Content-Length: ${length}\r\n`;
  await stream.write(`HTTP/1.1 200 OK\r\n${common}${framing}\r\n`);
  if (method === "HEAD") return !open;
  const pause = query.includes("s") ? 5 : 0;
  if (chunked && !open) await writeChunks(stream, seed, length, pause);
  else await writeBytes(stream, seed, 0, length, pause);
  return !open;
}

function rangeOf(
  { fields }: Head,
  length: number,
  etag: string,
): { readonly start: number; readonly end: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(fields.get("range") ?? "");
  if (match === null) return undefined;
  const condition = fields.get("if-range");
  if (condition !== undefined && condition !== etag) return undefined;
  const start = Number(match[1]);
  const end = match[2] === "" ? length : Number(match[2]) + 1;
  return start < length && start < end
    ? { start, end: Math.min(end, length) }
    : undefined;
}

async function writeBytes(
  stream: MessageStream,
  seed: number,
  start: number,
  end: number,
  pause = 0,
): Promise<void> {
  const source = new SeededBytes(seed);
  for (let at = start; at < end;) {
    const piece = source.from(at, end - at);
    await stream.write(piece);
    at += piece.length;
    if (pause > 0) await delay(pause);
  }
}

async function writeChunks(
  stream: MessageStream,
  seed: number,
  length: number,
  pause: number,
): Promise<void> {
  const source = new SeededBytes(seed);
  const random = new Random(seed);
  for (let at = 0; at < length;) {
    const piece = source.from(
      at,
      Math.min(length - at, random.between(1, 30_000)),
    );
    await stream.write(`${piece.length.toString(16)}\r\n`);
    await stream.write(piece);
    await stream.write("\r\n");
    at += piece.length;
    if (pause > 0) await delay(pause);
  }
  await stream.write("0\r\n\r\n");
}

async function takeUpload(request: Request, seed: number): Promise<boolean> {
  const { stream, head } = request;
  if (head.fields.get("expect") === "100-continue") {
    await stream.write("HTTP/1.1 100 Continue\r\n\r\n");
  }
  const check = new ByteCheck(seed);
  let right = true;
  await stream.body(requestFraming(head), (piece) => {
    right &&= check.take(piece);
  });
  const text = `${right ? "right" : `wrong from ${check.place} on`}`;
  await stream.write(
    `HTTP/1.1 200 OK\r\nX-Taken: ${text} ${check.place}\r\nContent-Length: 0\r\n\r\n`,
  );
  return true;
}

async function echo({ stream, head }: Request): Promise<boolean> {
  await stream.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  await stream.body(requestFraming(head), async (piece) => {
    const size = `${piece.length.toString(16)}\r\n`;
    await stream.write(size);
    await stream.write(piece);
    await stream.write("\r\n");
  });
  await stream.write("0\r\n\r\n");
  return true;
}

async function sendVersion(request: Request, name: string): Promise<boolean> {
  const version = Math.floor(Date.now() / VERSION);
  const kind = varies(name) ? request.head.fields.get("x-kind") ?? "" : "";
  const control = Number(name) % 7 === 0
    ? "no-store"
    : "max-age=1, stale-while-revalidate=1";
  // Some come in chunks and slowly, so that many wait for one.
  const query = Number(name) % 3 === 0 ? "cs" : "";
  return await sendBytes(
    { ...request, query },
    versioned(name, version, kind),
    `X-Version: ${version}\r\nCache-Control: ${control}\r\n${
      varies(name) ? "Vary: X-Kind\r\n" : ""
    }`,
  );
}

/** What may go wrong, by name. */
export const FAULTS = [
  "reset-head",
  "reset-body",
  "short",
  "short-chunks",
  "garbage",
  "half-head",
  "hang",
  "close",
] as const;

/** Does what `kind` says; of the request's body nothing is read. */
async function fail({ stream }: Request, kind: string): Promise<boolean> {
  switch (kind) {
    case "reset-head":
      await reset(stream);
      return false;
    case "reset-body":
      await stream.write("HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n");
      await writeBytes(stream, 1, 0, 40_000);
      await reset(stream);
      return false;
    case "short":
      await stream.write("HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n");
      await writeBytes(stream, 1, 0, 89_999);
      return false;
    case "short-chunks":
      await stream.write(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
      );
      return false;
    case "garbage":
      await stream.write("\u0000\u0001 no http at all\r\n\r\n");
      return false;
    case "half-head":
      await stream.write("HTTP/1.1 200 OK\r\nContent-Le");
      return false;
    case "hang":
      // Longer than anybody waits for it.
      await delay(20_000);
      return false;
    default:
      return false;
  }
}

/** Closes with bytes of the request's body unread, which is a RST (RFC 2525 §2.17). */
async function reset(stream: MessageStream): Promise<void> {
  await delay(20);
  stream.close();
}

/** Sends back what comes, byte by byte as it comes. */
export async function serveTcpEcho(listener: Deno.TcpListener): Promise<void> {
  for await (const conn of listener) echoTcp(conn);
}

async function echoTcp(conn: Deno.TcpConn): Promise<void> {
  const bytes = new Uint8Array(64 << 10);
  try {
    for (;;) {
      const count = await conn.read(bytes);
      if (count === null) break;
      for (let at = 0; at < count;) {
        at += await conn.write(bytes.subarray(at, count));
      }
    }
  } catch (thrown) {
    if (!isCut(thrown)) throw thrown;
  } finally {
    conn.close();
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
