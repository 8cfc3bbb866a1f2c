/**
 * `balance: first`: as few backends as can bear the load, so that others can be
 * switched off. Wants `maxConnections`: without it the first takes all.
 *
 * @module
 */
import type { Member, PickContext, Policy } from "./policy.ts";

/** The first in the config's order that is usable. */
export class FirstUsable<M extends Member> implements Policy<M> {
  #members: readonly M[] = [];

  update(members: readonly M[]): void {
    this.#members = [...members];
  }

  pick(
    _context: PickContext,
    usable?: (member: M) => boolean,
  ): M | undefined {
    if (usable === undefined) return this.#members[0];
    for (const member of this.#members) if (usable(member)) return member;
    return undefined;
  }

  peek(context: PickContext, usable?: (member: M) => boolean): M | undefined {
    return this.pick(context, usable);
  }
}
