/**
 * A plugin's policy with a guard around it: its mistakes must not cost requests.
 *
 * @module
 */
import type { BalancePolicy } from "../plugin.ts";
import {
  type Member,
  type PickContext,
  type Policy,
  UNTOLD,
} from "./policy.ts";
import { RoundRobin } from "./round_robin.ts";

/**
 * Asks the plugin's policy first. Where it has no answer, throws, or answers
 * what is no member or not usable, the turn is round robin's, so that there is
 * always one while one is usable.
 */
export class GuardedPolicy<M extends Member> implements Policy<M> {
  readonly #own: BalancePolicy;
  readonly #failed: (thrown: unknown) => void;
  readonly #turns = new RoundRobin<M>();
  #members: ReadonlySet<Member> = new Set();

  /** `failed` gets what the policy throws, and a `TypeError` for an answer that is none; if it throws, so does the call. */
  constructor(own: BalancePolicy, failed: (thrown: unknown) => void) {
    this.#own = own;
    this.#failed = failed;
  }

  update(members: readonly M[]): void {
    this.#members = new Set(members);
    this.#turns.update(members);
    try {
      this.#own.update(members);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  pick(context: PickContext, usable?: (member: M) => boolean): M | undefined {
    return this.#ask("pick", context, usable, undefined) ??
      this.#turns.pick(context, usable);
  }

  peek(
    context: PickContext,
    usable?: (member: M) => boolean,
  ): M | undefined | typeof UNTOLD {
    const turn = this.#turns.peek(context, usable);
    // Whoever is picked, it is nobody where nobody may be.
    if (turn === undefined) return undefined;
    return this.#own.peek === undefined
      ? UNTOLD
      : this.#ask("peek", context, usable, UNTOLD) ?? turn;
  }

  #ask<F>(
    what: "pick" | "peek",
    context: PickContext,
    usable: ((member: M) => boolean) | undefined,
    atFailure: F,
  ): M | undefined | F {
    try {
      // It knows no members but ours; what is asked of others may throw.
      const asked = usable as ((member: Member) => boolean) | undefined;
      const picked = what === "pick"
        ? this.#own.pick(context, asked)
        : this.#own.peek!(context, asked);
      if (picked === undefined) return undefined;
      if (!this.#isMember(picked)) {
        throw new TypeError("A policy must pick one of its members");
      }
      if (usable === undefined || usable(picked)) return picked;
      throw new TypeError(
        `A policy must pick a usable member: it picked "${picked.id}"`,
      );
    } catch (thrown) {
      this.#failed(thrown);
      return atFailure;
    }
  }

  #isMember(picked: Member): picked is M {
    return this.#members.has(picked);
  }
}
