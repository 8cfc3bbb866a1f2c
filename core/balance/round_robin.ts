/**
 * `balance: roundrobin`: turns by weight.
 *
 * @module
 */
import type { Member, PickContext, Policy } from "./policy.ts";
import { Turns } from "./turns.ts";

/** Each in its turn, as often as its weight says. */
export class RoundRobin<M extends Member> implements Policy<M> {
  #members: readonly M[] = [];
  readonly #turns = new Turns();
  #flags = new Uint8Array(0);

  update(members: readonly M[]): void {
    this.#members = [...members];
    this.#turns.update(members);
    this.#flags = new Uint8Array(members.length);
  }

  pick(
    _context: PickContext,
    usable?: (member: M) => boolean,
  ): M | undefined {
    const members = this.#members;
    if (usable === undefined) return members[this.#turns.next()];
    const flags = this.#flags;
    for (let i = 0; i < members.length; i++) {
      flags[i] = usable(members[i]!) ? 1 : 0;
    }
    return members[this.#turns.nextOf(flags)];
  }

  peek(context: PickContext, usable?: (member: M) => boolean): M | undefined {
    return this.#turns.undone(() => this.pick(context, usable));
  }
}
