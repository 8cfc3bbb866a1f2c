/**
 * One active check of a backend: dialled as traffic is, on a connection of its
 * own, bounded as a whole.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  backendHost,
  type BackendUrl,
  fixedAddress,
} from "../config/backend_url.ts";
import type { ClusterConfig } from "../config/config.ts";
import type { HealthConfig } from "../config/config_health.ts";
import { formatStatusRanges, inStatusRanges } from "../config/units.ts";
import { dial } from "../connect/dial.ts";
import { tlsTo } from "../connect/tls_to.ts";
import { ProxyError } from "../errors.ts";
import { Http1BackendConnection } from "../http1/backend_connection.ts";
import type { OutgoingRequest, ResponseHead } from "../message/head.ts";
import { ListFields } from "../message/list_fields.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Clock } from "../net/clock.ts";
import type { Deadlines } from "../net/deadlines.ts";
import type { Resolver } from "../net/resolver.ts";
import { type ByteCounter, Socket } from "../net/socket.ts";
import type { SocketAddress } from "../plugin.ts";
import { ownHeader } from "../proxy_protocol/write.ts";
import type { BackendTls } from "../tls/backend_tls.ts";
import { transferFailureCode } from "../tls/tls_failure.ts";
import { VERSION } from "../version.ts";
import type { RunCheck } from "./checker.ts";

/** Where a check goes. */
export interface ProbeTarget {
  readonly url: BackendUrl;
  /** Undefined for plain bytes. */
  readonly tls?: BackendTls | undefined;
  /** The PROXY header that its connections begin with. */
  readonly proxyProtocol: ClusterConfig["proxyProtocol"];
}

/** Where checks of a backend go: the same way as its traffic. */
export function probeTarget(
  url: BackendUrl,
  { proxyProtocol, tls }: ClusterConfig,
): ProbeTarget {
  return { url, proxyProtocol, tls: tlsTo(url, tls) };
}

/** What checks need of their process. */
export interface ProbeSurroundings {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly buffers: Buffers;
  readonly resolver: Resolver;
}

/** As much of a body is looked at. */
const BODY_BYTES = 64 << 10;

const RESPONSE_LIMITS = Object.freeze({ headerBytes: 64 << 10, headers: 256 });

const USER_AGENT = `headrace/${VERSION} (health check)`;

/** Makes the function that checks a backend. */
export function createProbe(
  surroundings: ProbeSurroundings,
): RunCheck<ProbeTarget> {
  const bytes: ByteCounter = { in: 0, out: 0 };
  return async (target, config, signal) => {
    const { clock } = surroundings;
    const { timeout } = config;
    const late = new AbortController();
    const cancel = clock.after(timeout, () => late.abort());
    try {
      await new Probe(target, config, surroundings, bytes).run(
        AbortSignal.any([signal, late.signal]),
      );
      return undefined;
    } catch (thrown) {
      if (late.signal.aborted) return `No result within ${timeout} ms`;
      return thrown instanceof Error ? thrown.message : String(thrown);
    } finally {
      cancel();
    }
  };
}

class Probe {
  readonly #target: ProbeTarget;
  readonly #config: HealthConfig;
  readonly #surroundings: ProbeSurroundings;
  readonly #bytes: ByteCounter;

  constructor(
    target: ProbeTarget,
    config: HealthConfig,
    surroundings: ProbeSurroundings,
    bytes: ByteCounter,
  ) {
    this.#target = target;
    this.#config = config;
    this.#surroundings = surroundings;
    this.#bytes = bytes;
  }

  /** Rejects with the reason where the backend is not well, or with any where `signal` fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { deadlines, buffers } = this.#surroundings;
    const { type, timeout } = this.#config;
    const addresses = await unlessAborted(signal, this.#resolve());
    const { proxyProtocol, tls } = this.#target;
    const { conn, remote } = await dial(addresses, {
      // One that is dead leaves time for the others, as traffic goes there, too.
      timeout: timeout / Math.max(1, addresses.length),
      deadlines,
      signal,
      tls,
      preface: proxyProtocol === "none"
        ? undefined
        : (ends) => ownHeader(proxyProtocol, ends),
    });
    if (type === "tcp") {
      conn.close();
      return;
    }
    const socket = new Socket(conn, {
      buffers,
      deadlines,
      closedCode: "backend_closed",
      failureCode: transferFailureCode,
      total: this.#bytes,
      buffer: "medium",
    });
    const connection = new Http1BackendConnection(socket, remote, {
      buffers,
      deadlines,
      limits: RESPONSE_LIMITS,
      writeTimeout: timeout,
      idleTimeout: 0,
    }, undefined);
    const close = () => connection.close();
    signal.addEventListener("abort", close);
    try {
      signal.throwIfAborted();
      await this.#exchange(connection);
      connection.release();
    } catch (thrown) {
      connection.close();
      throw thrown;
    } finally {
      signal.removeEventListener("abort", close);
    }
  }

  async #resolve(): Promise<SocketAddress[]> {
    const { url } = this.#target;
    const fixed = fixedAddress(url);
    if (fixed !== undefined) return [fixed];
    const { hostname, port } = url;
    const addresses = await this.#surroundings.resolver.resolve(hostname);
    return addresses.map((address) => ({ address, port }));
  }

  async #exchange(connection: Http1BackendConnection): Promise<void> {
    const { statuses, body, timeout } = this.#config;
    await connection.send(this.#request(), null);
    let head: ResponseHead;
    do {
      head = await connection.readHead(timeout);
    } while (head.status < 200 && head.status !== 101);
    const { status } = head;
    if (!inStatusRanges(statuses, status)) {
      throw new ProxyError(
        "bad_response",
        `It answered ${status}, expected ${formatStatusRanges(statuses)}`,
      );
    }
    if (body !== undefined && !await holdsText(connection, body, timeout)) {
      throw new ProxyError(
        "bad_response",
        `Its body does not contain ${JSON.stringify(body)}`,
      );
    }
  }

  #request(): OutgoingRequest {
    const { method, path, host } = this.#config;
    const { url } = this.#target;
    return {
      method,
      target: url.prefix + path,
      fields: new ListFields([
        ["host", host ?? backendHost(url)],
        ["user-agent", USER_AGENT],
        ["accept", "*/*"],
      ]),
      bodyLength: 0,
      upgrade: undefined,
      prepared: undefined,
    };
  }
}

/** Whether the first 64 KiB of the response's body contain a text. */
async function holdsText(
  connection: Http1BackendConnection,
  text: string,
  timeout: number,
): Promise<boolean> {
  const reader = connection.body(timeout);
  if (reader === null) return false;
  const wanted = Buffer.from(text);
  const held = Buffer.alloc(BODY_BYTES);
  let length = 0;
  do {
    if (!reader.advance()) await reader.next();
    const piece = reader.bytes.subarray(reader.start, reader.end)
      .subarray(0, BODY_BYTES - length);
    // It may begin in one piece and end in the next.
    const from = Math.max(0, length - wanted.length + 1);
    held.set(piece, length);
    length += piece.length;
    if (held.subarray(from, length).includes(wanted)) return true;
  } while (!reader.last && length < BODY_BYTES);
  return false;
}

/** The value, or a rejection as soon as the signal fires. */
async function unlessAborted<T>(
  signal: AbortSignal,
  value: Promise<T>,
): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    signal.throwIfAborted();
    return await Promise.race([value, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
