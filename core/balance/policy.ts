/**
 * What a balancing policy is: the small interface between a cluster and the
 * ways to choose one of its backends.
 *
 * @module
 */
import type { BalanceContext, BalanceMember } from "../plugin.ts";

/** A backend as a policy sees it. */
export type Member = BalanceMember;

/** For whom a backend is wanted. */
export type PickContext = BalanceContext;

/** What `peek` answers where nobody can tell before the pick. */
export const UNTOLD = Symbol("untold");

/** Chooses among the members of one subcluster; kept while its cluster is. */
export interface Policy<M extends Member> {
  /**
   * Those that may be picked from now on, in the config's order. Comes before
   * the first pick and after each change of membership, health or weight; what
   * the policy knows of those that stay is kept. The array is copied; a member's
   * weight is read here, its load at picks.
   */
  update(members: readonly M[]): void;
  /**
   * The one for this request, none for which `usable` is false (it was tried
   * already, or has no free slot); undefined where none is left. Sync, and
   * called for each attempt. `usable` may be asked of a member more than once.
   */
  pick(
    context: PickContext,
    usable?: (member: M) => boolean,
  ): M | undefined;
  /** What `pick` would answer next, without any trace of the question. */
  peek(
    context: PickContext,
    usable?: (member: M) => boolean,
  ): M | undefined | typeof UNTOLD;
}
