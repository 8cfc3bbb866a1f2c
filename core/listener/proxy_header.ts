/**
 * The PROXY header at the head of an accepted connection: whoever a trusted
 * proxy says that it speaks for is the client from there on.
 *
 * @module
 */
import { asProxyError, ProxyError } from "../errors.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import { withPrefix } from "../net/prefixed_conn.ts";
import type { ProxyHeader } from "../proxy_protocol/header.ts";
import { headerKind, readHeader } from "../proxy_protocol/read.ts";
import type { Initiator } from "./initiator.ts";

/** How a header is read. */
export interface ProxyHeaderOptions {
  /** Whether a trusted peer must send one, or may. */
  readonly mode: "accept" | "require";
  /** Whether the connection's peer may send one. */
  readonly trusted: boolean;
  /** Milliseconds for all of it. */
  readonly timeout: number;
  readonly buffers: Buffers;
  readonly deadlines: Deadlines;
  /** Closes the connection, which is the only way to end a pending read: called once the time is over. */
  readonly close: () => void;
}

/**
 * The initiator that the connection becomes: with the header's ends and facts,
 * or as it is where it has no header and needs none. Its connection begins
 * behind the header. Undefined where there is nothing to read.
 *
 * Throws or rejects with a ProxyError (`proxy_header_…`, `client_closed`); the
 * connection is the caller's to close, unless `close` was called.
 */
export function introduce(
  initiator: Initiator,
  options: ProxyHeaderOptions,
): undefined | Promise<Initiator> {
  if (options.trusted) return readIntroduction(initiator, options);
  if (options.mode === "accept") return undefined;
  throw new ProxyError(
    "proxy_header_untrusted",
    `${initiator.remote.address} is none of those whose PROXY header is trusted`,
  );
}

async function readIntroduction(
  initiator: Initiator,
  options: ProxyHeaderOptions,
): Promise<Initiator> {
  const { conn } = initiator;
  const { buffers, deadlines } = options;
  const limit = new HeaderDeadline(options);
  let buffer = buffers.small.take();
  let end = 0;
  deadlines.add(limit);
  try {
    for (;;) {
      const count = await conn.read(buffer.subarray(end));
      if (count === null) {
        checkEnd(buffer, end, options.mode);
        return { ...initiator, conn: withPrefix(conn, buffer.slice(0, end)) };
      }
      end += count;
      if (
        options.mode === "accept" && headerKind(buffer, 0, end) === "none"
      ) {
        return { ...initiator, conn: withPrefix(conn, buffer.slice(0, end)) };
      }
      const read = readHeader(buffer, 0, end);
      if (read !== undefined) {
        const rest = buffer.slice(read.end, end);
        return introduced(initiator, read.header, rest);
      }
      if (end === buffer.length) {
        // No header that is read is longer than this one.
        const larger = buffers.medium.take();
        larger.set(buffer);
        buffers.give(buffer);
        buffer = larger;
      }
    }
  } catch (thrown) {
    throw limit.passed ? limit.error : asProxyError(thrown, "client_closed");
  } finally {
    deadlines.delete(limit);
    buffers.give(buffer);
  }
}

/** The peer ended its direction: throws unless what came may be served as it is. */
function checkEnd(
  buffer: Uint8Array,
  end: number,
  mode: "accept" | "require",
): void {
  if (headerKind(buffer, 0, end) !== "more") {
    throw new ProxyError(
      "proxy_header_invalid",
      "The connection ended within its PROXY header",
    );
  }
  if (mode === "accept") return;
  // A balancer's check connects and leaves: nothing is wrong with that.
  throw new ProxyError(
    end === 0 ? "client_closed" : "proxy_header_missing",
    "The connection ended before a PROXY header",
  );
}

function introduced(
  initiator: Initiator,
  header: ProxyHeader,
  rest: Uint8Array,
): Initiator {
  const { ends, ...facts } = header;
  return {
    ...initiator,
    conn: withPrefix(initiator.conn, rest),
    remote: ends?.source ?? initiator.remote,
    local: ends?.destination ?? initiator.local,
    proxy: { ...facts, peer: initiator.remote },
  };
}

/** The time that a header may take. */
class HeaderDeadline implements Expiring {
  place = NOWHERE;
  readonly deadline: number;
  passed = false;
  readonly #options: ProxyHeaderOptions;

  constructor(options: ProxyHeaderOptions) {
    this.#options = options;
    this.deadline = options.deadlines.after(options.timeout);
  }

  /** What the header's reader is told once the time is over. */
  get error(): ProxyError {
    return new ProxyError(
      "proxy_header_timeout",
      `No PROXY header within ${this.#options.timeout} ms`,
    );
  }

  expire(): void {
    if (this.passed) return;
    this.passed = true;
    this.#options.close();
  }
}
