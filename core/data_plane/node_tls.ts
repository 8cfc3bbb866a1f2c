/**
 * What listeners need of the runtime's `node:tls`, and whether it does it right:
 * tried once, where a listener needs it.
 *
 * @module
 */
import type { Deadlines } from "../net/deadlines.ts";
import type { ListenerRuntime } from "../snapshot/snapshot.ts";
import { probeNodeTls } from "../tls/probe.ts";
import type { Termination } from "../tls/termination.ts";
import { RefusedError } from "./control.ts";

/** The `node:tls` of one data plane. */
export class NodeTls {
  readonly #deadlines: Deadlines;
  readonly #probe: typeof probeNodeTls;
  #problem: Promise<string | undefined> | undefined;

  /** `probe` finds out what is wrong with it. */
  constructor(deadlines: Deadlines, probe = probeNodeTls) {
    this.#deadlines = deadlines;
    this.#probe = probe;
  }

  /** What is wrong with it, by the certificates of the termination that asks first; undefined for nothing. */
  problem({ certificates }: Termination): Promise<string | undefined> {
    return this.#problem ??= this.#probe(certificates, this.#deadlines);
  }

  /** Rejects with a {@linkcode RefusedError} where listeners need more of the runtime's TLS than it does. */
  async check(listeners: Iterable<ListenerRuntime>): Promise<void> {
    const needs = [...listeners].flatMap(({ name, tls }) =>
      tls?.runtime === "node:tls" ? [{ name, tls }] : []
    );
    const [first] = needs;
    if (first === undefined) return;
    const problem = await this.problem(first.tls);
    if (problem === undefined) return;
    const { deno } = Deno.version;
    throw new RefusedError(
      needs.map(({ name, tls }) =>
        `listeners "${name}" tls: node:tls is needed for ${tls.reason}, and Deno ${deno} does not do it right: ${problem}`
      ),
    );
  }
}
