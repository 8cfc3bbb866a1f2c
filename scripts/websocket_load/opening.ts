/**
 * Opening handshakes of both ends (RFC 6455 §4), as short as they can be.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { acceptOf } from "../../core/websocket/handshake.ts";
import { Peer } from "./peer.ts";

/** What a backend was asked with. */
export interface Opening {
  readonly target: string;
  /** By names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
}

/** A head with what came behind it. */
interface Head {
  readonly first: string;
  readonly fields: Map<string, string>;
  readonly rest: Uint8Array;
}

const MAX_HEAD = 16 << 10;

const decoder = new TextDecoder("latin1");
const encoder = new TextEncoder();

/** Opens one to a port of 127.0.0.1. Rejects where it is refused. */
export async function openWebSocket(
  port: number,
  target: string,
): Promise<Peer> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    const key = randomBytes(16).toString("base64");
    await writeText(
      conn,
      `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    const { first, fields, rest } = await readHead(conn);
    if (!first.startsWith("HTTP/1.1 101 ")) {
      throw new Error(`The handshake was answered with "${first}"`);
    }
    if (fields.get("sec-websocket-accept") !== acceptOf(key)) {
      throw new Error("The handshake was answered with another key's accept");
    }
    return new Peer(conn, { end: "client", rest });
  } catch (thrown) {
    conn.close();
    throw thrown;
  }
}

/** Takes one; `opening` is told before the client is. Rejects where it asks for anything else. */
export async function acceptWebSocket(
  conn: Deno.TcpConn,
  opening: (opening: Opening) => Promise<void>,
): Promise<Peer> {
  try {
    const { first, fields, rest } = await readHead(conn);
    const key = fields.get("sec-websocket-key");
    if (key === undefined) throw new Error(`Not a handshake: "${first}"`);
    await opening({ target: first.split(" ")[1]!, fields });
    await writeText(
      conn,
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${
        acceptOf(key)
      }\r\n\r\n`,
    );
    return new Peer(conn, { end: "server", rest });
  } catch (thrown) {
    conn.close();
    throw thrown;
  }
}

async function readHead(conn: Deno.Conn): Promise<Head> {
  const bytes = new Uint8Array(MAX_HEAD);
  let size = 0;
  for (;;) {
    const count = await conn.read(bytes.subarray(size));
    if (count === null) {
      throw new Deno.errors.ConnectionReset("Ended within the handshake");
    }
    size += count;
    const text = decoder.decode(bytes.subarray(0, size));
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) {
      const [first = "", ...lines] = text.slice(0, end).split("\r\n");
      return {
        first,
        fields: new Map(lines.map(parseField)),
        rest: bytes.slice(end + 4, size),
      };
    }
    if (size === MAX_HEAD) throw new Error("The handshake's head is too long");
  }
}

function parseField(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

async function writeText(conn: Deno.Conn, text: string): Promise<void> {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}
