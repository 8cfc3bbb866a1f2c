/**
 * Fetching anew what the cache served stale: a request of our own that enters
 * the listener like its client's, so that it meets the same handlers and comes
 * to the same cluster.
 *
 * @module
 */
import { Http1BackendConnection } from "../http1/backend_connection.ts";
import { ListFields } from "../message/list_fields.ts";
import { createPipe } from "../net/pipe.ts";
import { type ByteCounter, Socket } from "../net/socket.ts";
import { EXPLAIN_FIELD, TOKEN_FIELD } from "../session/trace_request.ts";
import type { Transaction } from "../session/transaction.ts";
import type { SubrequestEntry } from "./subrequest.ts";

/** The proxy's own timeouts come first, in milliseconds. */
const TIMEOUT = 300_000;

const LIMITS = Object.freeze({
  headerBytes: 64 << 10,
  headers: 256,
  targetBytes: 0,
});

/** What would have a backend answer this client alone, and what asks for a trace. */
const NOT_SENT = [
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "range",
  "cache-control",
  "pragma",
  EXPLAIN_FIELD,
  TOKEN_FIELD,
];

const bytes: ByteCounter = { in: 0, out: 0 };

/** Sends a transaction's request again, unless `may` comes to false, and reads the answer to its end. Rejects with a ProxyError. */
export async function refreshCached(
  entry: SubrequestEntry,
  { session, head }: Transaction,
  may?: Promise<boolean>,
): Promise<void> {
  const { env } = entry;
  // The transaction's own are gone when it is over.
  const { target, host, received } = head!;
  // Handlers change that anew: by what they have taken away they may let it in.
  const fields = new ListFields(received);
  if (host !== undefined) fields.put("host", host);
  fields.removeEach(NOT_SENT);
  if (may !== undefined && !await may) return;
  const { remote, local, proxy, tls } = session.initiator;
  const [near, far] = createPipe();
  entry.enter(
    { conn: far, remote, local, proxy, tls, internal: true, refresh: true },
    session.listener,
  );
  const socket = new Socket(near, {
    buffers: env.buffers,
    deadlines: env.deadlines,
    closedCode: "backend_closed",
    total: bytes,
    buffer: "medium",
  });
  const connection = new Http1BackendConnection(socket, remote, {
    buffers: env.buffers,
    deadlines: env.deadlines,
    limits: LIMITS,
    writeTimeout: TIMEOUT,
    idleTimeout: 0,
  }, undefined);
  try {
    await connection.send({
      method: "GET",
      target,
      fields,
      bodyLength: 0,
      upgrade: undefined,
      prepared: undefined,
    }, null);
    while ((await connection.readHead(TIMEOUT)).status < 200);
    const body = connection.body(TIMEOUT);
    while (body !== null && !body.last) {
      if (!body.advance()) await body.next();
    }
  } finally {
    connection.close();
  }
}
