/**
 * ClientHellos byte by byte (RFC 8446 §4.1.2), and real ones.
 *
 * @module
 */
import { bytesOf, join } from "./byte_streams.ts";

/** What a test says of a ClientHello; the rest is what clients send. */
export interface HelloParts {
  /** Host names of the server_name extension; left out = no such extension. */
  readonly names?: readonly string[];
  /** Further extensions, by type. */
  readonly extensions?: readonly (readonly [number, Uint8Array])[];
  readonly sessionId?: Uint8Array;
  /** Instead of all extensions with their length. */
  readonly tail?: Uint8Array;
}

/** The handshake message, without a record around it. */
export function clientHello(parts: HelloParts = {}): Uint8Array {
  const extensions = [
    ...(parts.names === undefined
      ? []
      : [[0, serverNames(parts.names)] as const]),
    ...parts.extensions ?? [],
  ].map(([type, body]) => join([number(type, 2), vector(body, 2)]));
  const body = join([
    number(0x0303, 2),
    new Uint8Array(32).fill(7),
    vector(parts.sessionId ?? new Uint8Array(32), 1),
    vector(Uint8Array.of(0x13, 0x01, 0x13, 0x02), 2),
    vector(Uint8Array.of(0), 1),
    parts.tail ?? vector(join(extensions), 2),
  ]);
  return join([Uint8Array.of(1), vector(body, 3)]);
}

/** The body of a server_name extension. */
export function serverNames(names: readonly string[], type = 0): Uint8Array {
  return vector(
    join(
      names.map((name) =>
        join([Uint8Array.of(type), vector(bytesOf(name), 2)])
      ),
    ),
    2,
  );
}

/** A message in handshake records of so many bytes of plaintext, the last one of what is left. */
export function inRecords(
  message: Uint8Array,
  sizes: readonly number[] = [],
): Uint8Array {
  const records: Uint8Array[] = [];
  let at = 0;
  for (const size of [...sizes, message.length]) {
    if (at >= message.length) break;
    const piece = message.subarray(at, at + size);
    records.push(record(22, piece));
    at += piece.length;
  }
  return join(records);
}

/** A record of any type. */
export function record(type: number, plaintext: Uint8Array): Uint8Array {
  return join([Uint8Array.of(type, 3, 1), vector(plaintext, 2)]);
}

/** Bytes behind their length. */
export function vector(bytes: Uint8Array, lengthBytes: number): Uint8Array {
  return join([number(bytes.length, lengthBytes), bytes]);
}

/** What this Deno sends first to a server of this name. */
export async function realClientHello(name: string): Promise<Uint8Array> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const [conn, near] = await Promise.all([
    listener.accept(),
    Deno.connect({ hostname: "127.0.0.1", port }),
  ]);
  const client = await Deno.startTls(near, { hostname: name });
  const shaken = client.handshake().catch((reason: unknown) => reason);
  const buffer = new Uint8Array(16 << 10);
  const count = await conn.read(buffer);
  conn.close();
  listener.close();
  await shaken;
  client.close();
  return buffer.subarray(0, count ?? 0);
}

function number(value: number, bytes: number): Uint8Array {
  return Uint8Array.from(
    { length: bytes },
    (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256,
  );
}
