/**
 * Connections that were refused before accept: counted each, and told to the
 * log now and then. A balancer that sends no PROXY header, or is not trusted,
 * is a slip in a config that nobody sees otherwise.
 *
 * @module
 */
import type { FailureCode, ProxyError } from "../errors.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { Session } from "../session/session.ts";

/** What a connection is refused for. */
const REASONS: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "too_many_connections",
  "proxy_header_untrusted",
  "proxy_header_missing",
  "proxy_header_invalid",
  "proxy_header_timeout",
]);

/** Milliseconds between two log lines of one listener about one reason: anybody can make them. */
const LOG_INTERVAL = 60_000;

/** When the log was last told, and how many came that it was not told of. */
interface Told {
  at: number;
  unlogged: number;
}

/** The refusals of one data plane. */
export class Refusals {
  readonly #env: PlaneEnv;
  readonly #told = new Map<string, Told>();

  constructor(env: PlaneEnv) {
    this.#env = env;
  }

  /** Counts the session where it ended by being refused. */
  note(session: Session, error: ProxyError): void {
    if (!REASONS.has(error.code)) return;
    const { listener, initiator: { remote } } = session;
    this.#env.metrics.sessionsRefused.series(listener, error.code).add();
    const told = this.#toldOf(`${error.code} ${listener}`);
    const now = this.#env.clock.now();
    if (now - told.at < LOG_INTERVAL) {
      told.unlogged++;
      return;
    }
    this.#env.log.warn("A connection was refused", {
      listener,
      remote: remote.address,
      error,
      ...told.unlogged > 0 && { unlogged: told.unlogged },
    });
    told.at = now;
    told.unlogged = 0;
  }

  #toldOf(key: string): Told {
    let told = this.#told.get(key);
    if (told === undefined) {
      this.#told.set(key, told = { at: -Infinity, unlogged: 0 });
    }
    return told;
  }
}
