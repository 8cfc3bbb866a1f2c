/**
 * Who may have a request traced, and the traces that can still be read.
 *
 * @module
 */
import { isIP } from "node:net";
import type { Log } from "../plugin.ts";
import { TransactionTrace } from "../session/transaction_trace.ts";
import type { TraceReport } from "../session/trace_report.ts";
import type { TraceRequest } from "../session/trace_request.ts";
import type { Transaction } from "../session/transaction.ts";
import { isLoopback } from "../net/address.ts";
import { Secret } from "../text/secret.ts";

/** Traces that are kept. */
const KEPT = 100;

/** The traces of one data plane. */
export class Traces {
  readonly #secret: Secret | undefined;
  readonly #log: Log;
  readonly #byId = new Map<string, TransactionTrace>();

  /** `token` is the admin interface's; undefined = there is none. */
  constructor(token: string | undefined, log: Log) {
    this.#secret = token === undefined ? undefined : new Secret(token);
    this.#log = log;
  }

  /** Begins the trace of a transaction that has its head; undefined where whoever asks may not have it. */
  begin(
    transaction: Transaction,
    request: TraceRequest,
  ): TransactionTrace | undefined {
    const { remote } = transaction.session.initiator;
    if (!this.#admits(remote.address, request)) {
      this.#log.debug("A request's trace was refused", {
        remote: remote.address,
        reason: this.#secret === undefined
          ? "without admin.token only direct clients on loopback get one"
          : "X-Headrace-Token is not admin.token",
      });
      return undefined;
    }
    const trace = new TransactionTrace(transaction);
    if (this.#byId.size === KEPT) {
      const [oldest] = this.#byId.keys();
      this.#byId.delete(oldest!);
    }
    this.#byId.set(trace.id, trace);
    return trace;
  }

  /** The trace of a transaction, of one that is under way as far as it has come. */
  find(id: string): TraceReport | undefined {
    return this.#byId.get(id)?.report();
  }

  /**
   * As the admin interface: whoever has its token, and without one this
   * machine. A proxy on this machine is no reason to believe its clients.
   */
  #admits(remote: string, { token, relayed }: TraceRequest): boolean {
    if (this.#secret !== undefined) {
      return token !== undefined && this.#secret.is(token);
    }
    return !relayed && isIP(remote) !== 0 &&
      isLoopback({ kind: "tcp", hostname: remote, port: 0, lastPort: 0 });
  }
}
