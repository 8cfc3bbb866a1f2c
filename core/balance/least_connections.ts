/**
 * `balance: leastconn`: who serves the least for its weight.
 *
 * @module
 */
import type { Member, PickContext, Policy } from "./policy.ts";
import { Turns } from "./turns.ts";

/**
 * The one with the least load per weight. Those that share the least take turns
 * by weight: while nothing is slow all loads are 0, and the first in the config
 * would get everything.
 */
export class LeastConnections<M extends Member> implements Policy<M> {
  #members: readonly M[] = [];
  #weights = new Float64Array(0);
  #ratios = new Float64Array(0);
  #flags = new Uint8Array(0);
  readonly #turns = new Turns();

  update(members: readonly M[]): void {
    this.#members = [...members];
    this.#weights = Float64Array.from(members, ({ weight }) => weight);
    this.#ratios = new Float64Array(members.length);
    this.#flags = new Uint8Array(members.length);
    this.#turns.update(members);
  }

  pick(
    _context: PickContext,
    usable?: (member: M) => boolean,
  ): M | undefined {
    const members = this.#members;
    const ratios = this.#ratios;
    let least = Infinity;
    let best = -1;
    for (let i = 0; i < members.length; i++) {
      const member = members[i]!;
      if (usable !== undefined && !usable(member)) {
        ratios[i] = NaN;
        continue;
      }
      const ratio = member.load / this.#weights[i]!;
      ratios[i] = ratio;
      if (ratio < least) {
        least = ratio;
        best = i;
      }
    }
    if (best < 0) return undefined;
    const flags = this.#flags;
    let ties = 0;
    for (let i = 0; i < members.length; i++) {
      const tied = ratios[i] === least ? 1 : 0;
      flags[i] = tied;
      ties += tied;
    }
    return members[ties === 1 ? best : this.#turns.nextOf(flags)];
  }

  peek(context: PickContext, usable?: (member: M) => boolean): M | undefined {
    return this.#turns.undone(() => this.pick(context, usable));
  }
}
