/**
 * Requests that plugins make: an initiator of our own enters a listener's
 * sessions through a pipe, and a connection like one to a backend speaks to it.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { Http1BackendConnection } from "../http1/backend_connection.ts";
import { isFramingField } from "../message/field_rules.ts";
import { ListFields } from "../message/list_fields.ts";
import { streamOf } from "../message/body_stream.ts";
import { StreamBody } from "../message/made_bodies.ts";
import { createPipe, type PipeConn } from "../net/pipe.ts";
import { type ByteCounter, Socket } from "../net/socket.ts";
import type { SubrequestInit } from "../plugin.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { Initiator } from "../listener/initiator.ts";

/** How a subrequest enters the proxy. */
export interface SubrequestEntry {
  readonly env: PlaneEnv;
  /** Begins a session for the initiator on a listener; throws a `TypeError` for an unknown one. */
  enter(initiator: Initiator, listener: string | undefined): void;
  /** Who asks; by default the proxy itself. */
  readonly from?: Partial<Omit<Initiator, "conn">>;
}

/** Requests of plugins that may be within each other. */
const MAX_DEPTH = 8;

/**
 * How many requests of plugins the running code is within. The number goes along
 * with all that the session of such a request begins, across awaits and timers:
 * handlers, transforms and streams. Clients' sessions pay nothing.
 */
const depth = new AsyncLocalStorage<number>();

/** Requests of one plugin under way at once. */
const MAX_CONCURRENT = 1_000;

/** A response's head may take so long, in milliseconds: the proxy's own timeouts come first. */
const RESPONSE_TIMEOUT = 300_000;

const LIMITS = Object.freeze({
  headerBytes: 64 << 10,
  headers: 256,
  targetBytes: 0,
});

const NOBODY = Object.freeze({ address: "127.0.0.1", port: 0 });

/** The requests of one plugin instance. */
export class Subrequests {
  readonly #entry: SubrequestEntry;
  readonly #bytes: ByteCounter = { in: 0, out: 0 };
  #open = 0;

  constructor(entry: SubrequestEntry) {
    this.#entry = entry;
  }

  /** Sends it. Rejects with a `TypeError` where `fetch` would, with the signal's reason where that fires. */
  async send(
    input: Request | URL | string,
    init: SubrequestInit = {},
  ): Promise<Response> {
    const { listener, ...requestInit } = init;
    const request = new Request(input, requestInit);
    const { signal } = request;
    signal.throwIfAborted();
    const within = depth.getStore() ?? 0;
    if (within === MAX_DEPTH) {
      throw new TypeError(
        `Cannot send the request as it is within ${MAX_DEPTH} others of plugins: does a handler's request come to that handler again?`,
      );
    }
    if (this.#open >= MAX_CONCURRENT) {
      throw new TypeError(
        `Cannot send the request as ${this.#open} of this plugin are under way`,
      );
    }
    const { connection, conn } = this.#connect(listener, within + 1);
    // Its session must not take it for a client that only waits.
    const abort = () => {
      conn.reset();
      connection.close();
    };
    signal.addEventListener("abort", abort);
    this.#open++;
    const end = () => {
      this.#open--;
      signal.removeEventListener("abort", abort);
      connection.close();
    };
    try {
      return await exchange(connection, request, end, () => {
        conn.reset();
        end();
      });
    } catch (thrown) {
      conn.reset();
      end();
      signal.throwIfAborted();
      throw new TypeError(
        `Cannot send the request: ${
          thrown instanceof Error ? thrown.message : thrown
        }`,
        { cause: thrown },
      );
    }
  }

  #connect(
    listener: string | undefined,
    itsDepth: number,
  ): { readonly connection: Http1BackendConnection; readonly conn: PipeConn } {
    const { env } = this.#entry;
    const [near, far] = createPipe();
    const initiator = {
      conn: far,
      remote: NOBODY,
      local: NOBODY,
      internal: true,
      proxy: undefined,
      tls: undefined,
      ...this.#entry.from,
    };
    depth.run(itsDepth, () => this.#entry.enter(initiator, listener));
    const socket = new Socket(near, {
      buffers: env.buffers,
      deadlines: env.deadlines,
      closedCode: "backend_closed",
      total: this.#bytes,
      buffer: "medium",
    });
    const connection = new Http1BackendConnection(socket, NOBODY, {
      buffers: env.buffers,
      deadlines: env.deadlines,
      limits: LIMITS,
      writeTimeout: RESPONSE_TIMEOUT,
      idleTimeout: 0,
    }, undefined);
    return { connection, conn: near };
  }
}

async function exchange(
  connection: Http1BackendConnection,
  request: Request,
  end: () => void,
  giveUp: () => void,
): Promise<Response> {
  const url = new URL(request.url);
  const fields = new ListFields([["host", url.host]]);
  for (const [name, value] of request.headers) {
    if (!isFramingField(name) && name !== "host") fields.append(name, value);
  }
  const body = request.body === null ? null : new StreamBody(request.body);
  await connection.send({
    method: request.method,
    target: url.pathname + url.search,
    fields,
    bodyLength: body === null ? 0 : -1,
    upgrade: undefined,
    prepared: undefined,
  }, body);
  for (;;) {
    const head = await connection.readHead(RESPONSE_TIMEOUT);
    if (head.status < 200) continue;
    const headers = new Headers([...head.fields]);
    const { status, reason: statusText } = head;
    const reader = connection.body(RESPONSE_TIMEOUT);
    const init = { status, statusText, headers };
    if (reader === null) {
      end();
      return new Response(null, init);
    }
    return new Response(streamOf(reader, end, giveUp), init);
  }
}
