/**
 * A backend that answers each request with bytes made for it, and a client with
 * Node's parser that says what it got through Headrace.
 *
 * @module
 */
import { latin1Bytes, latin1Text } from "../../support/latin1.ts";
import { writeAll } from "../../support/byte_streams.ts";
import { serveTcpBackend, type TcpBackend } from "../../support/tcp_backend.ts";

const CLIENT = new URL("../../support/node_client.mjs", import.meta.url);

/** What a backend sends for one request. */
export interface Reply {
  readonly text: string;
  /** How the text is cut into writes. */
  readonly pieces: readonly string[];
  /** The connection ends behind it. */
  readonly closes: boolean;
}

/** What Node's client got for one request. */
export interface Got {
  readonly number: number;
  /** Statuses of interim responses. */
  readonly interim: readonly number[];
  /** Why there was no response. */
  readonly error?: string;
  readonly status?: number;
  readonly reason?: string;
  /** Names and values by turns. */
  readonly fields?: readonly string[];
  /** As latin1. */
  readonly body?: string;
  readonly complete?: boolean;
}

/** The method of the request for `/number`. */
export function methodOf(number: number): "GET" | "HEAD" {
  return number % 5 === 4 ? "HEAD" : "GET";
}

/** Starts the backend: `/n` gets the nth reply. */
export function serveReplies(replies: readonly Reply[]): TcpBackend {
  return serveTcpBackend(async (conn) => {
    const buffer = new Uint8Array(16 << 10);
    let held = "";
    for (;;) {
      const end = held.indexOf("\r\n\r\n");
      if (end < 0) {
        const count = await conn.read(buffer);
        if (count === null) return;
        held += latin1Text(buffer.subarray(0, count));
        continue;
      }
      const [, number] = /^[A-Z]+ \/(\d+) /.exec(held)!;
      held = held.slice(end + 4);
      const { pieces, closes } = replies[Number(number)]!;
      for (const piece of pieces) await writeAll(conn, latin1Bytes(piece));
      if (closes) return;
    }
  });
}

/** Asks for `/0` to `/count - 1`; what came, by number. */
export async function askAll(port: number, count: number): Promise<Got[]> {
  const { stdout, success } = await new Deno.Command("node", {
    args: [CLIENT.pathname, String(port), String(count)],
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("Node's client failed");
  const lines = new TextDecoder().decode(stdout).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Got)
    .toSorted((a, b) => a.number - b.number);
}
