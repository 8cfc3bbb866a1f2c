/**
 * A backend inside the process: the far end of a pipe, where a function answers.
 *
 * @module
 */
import {
  Http1ClientConnection,
  type Http1ClientOptions,
} from "../http1/client_connection.ts";
import { streamOf } from "../message/body_stream.ts";
import { StreamBody } from "../message/made_bodies.ts";
import { ListFields } from "../message/list_fields.ts";
import { isFramingField } from "../message/field_rules.ts";
import type { ByteConn } from "../net/byte_conn.ts";
import { HeadIndexPool } from "../http1/head_index_pool.ts";
import { createPipe } from "../net/pipe.ts";
import { Socket } from "../net/socket.ts";
import type { ClientExchange } from "../session/exchange.ts";
import type { PlaneEnv } from "../session/env.ts";

/** Answers requests; one that throws breaks its connection, as a backend does that dies. */
export type BackendHandler = (
  request: Request,
) => Response | Promise<Response>;

const PATIENT: Pick<Http1ClientOptions, "limits" | "timeouts"> = {
  limits: {
    headerBytes: 64 << 10,
    headers: 256,
    targetBytes: 64 << 10,
    bodyBytes: Infinity,
  },
  timeouts: {
    header: Infinity,
    body: Infinity,
    write: Infinity,
    keepAlive: Infinity,
  },
};

/** Makes connections to the handler, each of which takes requests one after another. */
export class MemoryBackend {
  readonly #handler: BackendHandler;
  readonly #indexes = new HeadIndexPool(PATIENT.limits.headers);
  readonly #working = new Set<Promise<void>>();

  constructor(handler: BackendHandler) {
    this.#handler = handler;
  }

  /** The proxy's end of a new connection. */
  connect(env: PlaneEnv): ByteConn {
    const [near, far] = createPipe();
    const working = this.#serve(env, far);
    this.#working.add(working);
    working.finally(() => this.#working.delete(working));
    return near;
  }

  /** Resolves when nobody is connected any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#working);
  }

  async #serve(env: PlaneEnv, conn: ByteConn): Promise<void> {
    const { buffers, deadlines, clock, date } = env;
    const socket = new Socket(conn, {
      buffers,
      deadlines,
      closedCode: "client_closed",
      total: { in: 0, out: 0 },
      buffer: "small",
    });
    const indexes = this.#indexes;
    const options = { ...PATIENT, buffers, indexes, clock, date };
    const connection = new Http1ClientConnection(socket, options);
    try {
      await connection.serve({
        run: (exchange) => this.#answer(env, exchange),
        ended() {},
        rests() {},
      });
    } catch {
      // The proxy broke off, or the handler threw, which was logged: either way
      // this connection is over.
    } finally {
      if (!socket.closed) socket.close();
    }
  }

  async #answer(
    env: PlaneEnv,
    exchange: ClientExchange,
  ): Promise<undefined> {
    const head = await exchange.readHead();
    const headers = new Headers([...head.fields]);
    const url = `http://${headers.get("host") ?? "backend"}${head.target}`;
    const body = exchange.body === null
      ? null
      : streamOf(exchange.body, () => {});
    const request = new Request(url, { method: head.method, headers, body });
    const response = await this.#ask(env, request);
    const bodiless = head.method === "HEAD" || response.body === null;
    const length = Number(response.headers.get("content-length") ?? 0);
    const fields = new ListFields();
    for (const [name, value] of response.headers) {
      if (!isFramingField(name)) fields.append(name, value);
    }
    await exchange.send(
      {
        status: response.status,
        reason: response.statusText,
        fields,
        bodyLength: bodiless ? length : -1,
        hasBody: !bodiless,
      },
      bodiless ? null : new StreamBody(response.body!),
      { close: false },
    );
  }

  async #ask({ log }: PlaneEnv, request: Request): Promise<Response> {
    try {
      return await this.#handler(request);
    } catch (error) {
      log.error("The test's backend threw", { error });
      throw error;
    }
  }
}
