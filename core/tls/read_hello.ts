/**
 * Reads the first message of a TLS client before anything is made of it.
 *
 * @module
 */
import { asProxyError, ProxyError } from "../errors.ts";
import type { ByteConn } from "../net/byte_conn.ts";
import { type ClientHello, ClientHelloReader } from "./client_hello.ts";

/** A ClientHello and the bytes that it came in, which are still to be read by whoever answers it. */
export interface ReadHello {
  readonly hello: ClientHello;
  readonly bytes: Uint8Array;
}

/** Bytes of the first read: most hellos take less. */
const FIRST = 4 << 10;

/** What came is no ClientHello. */
export class HelloError extends ProxyError {
  /** What came. */
  readonly bytes: Uint8Array;

  constructor(
    bytes: Uint8Array,
    code: "not_tls" | "tls_handshake_failed",
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.bytes = bytes;
  }

  /** Whether it began as a client does that speaks HTTP: by a method's first letter. */
  get isHttp(): boolean {
    const first = this.bytes[0];
    return first !== undefined && first >= 0x41 && first <= 0x5a;
  }
}

/** Reads it, however it is cut. Rejects with a {@linkcode HelloError}; the reader's bound is the only one. */
export async function readHello(conn: ByteConn): Promise<ReadHello> {
  const reader = new ClientHelloReader();
  let buffer = new Uint8Array(FIRST);
  for (let length = 0;;) {
    if (length === buffer.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(buffer);
      buffer = larger;
    }
    const count = await readSome(conn, buffer.subarray(length));
    if (count === null) {
      throw new HelloError(
        buffer.subarray(0, length),
        "tls_handshake_failed",
        "The client left within the TLS handshake",
      );
    }
    length += count;
    const bytes = buffer.subarray(0, length);
    const hello = parse(reader, bytes);
    if (hello !== undefined) return { hello, bytes };
  }
}

async function readSome(
  conn: ByteConn,
  buffer: Uint8Array,
): Promise<number | null> {
  try {
    return await conn.read(buffer);
  } catch (thrown) {
    throw new HelloError(
      new Uint8Array(0),
      "tls_handshake_failed",
      `The TLS handshake failed: ${asProxyError(thrown).message}`,
      { cause: thrown },
    );
  }
}

function parse(
  reader: ClientHelloReader,
  bytes: Uint8Array,
): ClientHello | undefined {
  try {
    return reader.read(bytes);
  } catch (thrown) {
    const { code, message } = asProxyError(thrown);
    throw code === "not_tls"
      ? new HelloError(bytes, code, "The client spoke no TLS")
      : new HelloError(
        bytes,
        "tls_handshake_failed",
        `The TLS handshake failed: ${message}`,
        { cause: thrown },
      );
  }
}
