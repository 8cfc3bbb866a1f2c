/**
 * A resolver's source whose answers a test sets.
 *
 * @module
 */
import type { LookUp, Resolution } from "../../core/net/resolver.ts";

type Answer = Resolution | Error | Promise<Resolution>;

/** Names and what they resolve to; all others are unknown. */
export class FakeDns {
  /** Names that were asked for, in their order. */
  readonly asked: string[] = [];
  readonly #answers = new Map<string, Answer>();

  /** From now on the name has these addresses, with a TTL in milliseconds. */
  set(name: string, addresses: readonly string[], ttl?: number): void {
    this.#answers.set(name, { addresses, ttl });
  }

  /** From now on the name can't be resolved. */
  fail(name: string, reason = "SERVFAIL"): void {
    this.#answers.set(name, new Error(reason));
  }

  /** From now on the name's answer waits until the test gives it. */
  hold(name: string): PromiseWithResolvers<Resolution> {
    const held = Promise.withResolvers<Resolution>();
    this.#answers.set(name, held.promise);
    return held;
  }

  /** As a {@linkcode LookUp}. */
  readonly lookUp: LookUp = async (name) => {
    this.asked.push(name);
    const answer = this.#answers.get(name) ?? new Error("NXDOMAIN");
    if (answer instanceof Error) throw answer;
    return await answer;
  };
}
