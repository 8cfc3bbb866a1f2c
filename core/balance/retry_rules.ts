/**
 * When a cluster's attempts are followed by others.
 *
 * @module
 */
import type { RetriesConfig } from "../config/config_cluster_parts.ts";
import type { ProxyError } from "../errors.ts";

/** Methods that may be sent twice (RFC 9110 §9.2.2). */
const IDEMPOTENT = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] as const;

/**
 * What holds where a config says nothing: failures that are known not to be an
 * answer are tried elsewhere, an answer is an answer (nginx's and HAProxy's
 * habit).
 */
const DEFAULTS: RetriesConfig = {
  max: 3,
  crossSubcluster: 1,
  causes: ["connect", "reset"],
  methods: IDEMPOTENT,
  budget: 0.2,
  bufferBytes: 64 << 10,
};

/** The rules of one cluster. */
export class RetryRules {
  /** What the config says, or what holds where it says nothing. */
  readonly config: RetriesConfig;
  /** Attempts after the first. */
  readonly max: number;
  /** Of these, in another subcluster. */
  readonly crossSubcluster: number;
  /** Share of the cluster's requests. */
  readonly budget: number;
  /** Bytes of a body that are kept to be sent again. */
  readonly bufferBytes: number;
  readonly #causes: ReadonlySet<string>;
  readonly #methods: ReadonlySet<string>;
  readonly #statuses: boolean;

  constructor(config: RetriesConfig | undefined) {
    this.config = config ?? DEFAULTS;
    const { max, crossSubcluster, causes, methods, budget, bufferBytes } =
      this.config;
    this.max = max;
    this.crossSubcluster = crossSubcluster;
    this.budget = budget;
    this.bufferBytes = bufferBytes;
    this.#causes = new Set(causes);
    this.#methods = new Set(methods);
    this.#statuses = causes.some((cause) => /^\d/.test(cause));
  }

  /** Whether a request of this method may reach a backend twice. */
  mayRepeat(method: string): boolean {
    return this.#methods.has(method);
  }

  /** Whether an attempt that ended so before a final response is followed by another, as far as the cause goes. */
  followsFailure(error: ProxyError): boolean {
    if (error.retry === "always") return this.#causes.has("connect");
    // A timeout is none: the backend may be at work on it (RFC 9110 §9.2.2).
    const reset = error.code === "backend_closed" ||
      error.code === "response_truncated";
    return reset && this.#causes.has("reset");
  }

  /** Whether a response of this status is dropped for another attempt. */
  followsStatus(status: number): boolean {
    return this.#statuses && this.#causes.has(String(status));
  }
}
