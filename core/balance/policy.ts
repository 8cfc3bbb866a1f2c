/**
 * What a balancing policy is: the small interface between a cluster and the
 * ways to choose one of its backends.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";

/** A backend as a policy sees it. */
export interface Member {
  /** Unique among the members: what a policy knows it by over updates. */
  readonly id: string;
  /** Its share now, slow start counted: above 0, no whole number as a rule. */
  readonly weight: number;
  /** Requests and sessions that it serves now, over all workers; cheap to read. */
  readonly load: number;
}

/** For whom a backend is wanted. */
export interface PickContext {
  readonly clientAddress: string;
  /** Undefined for a tcp session. */
  readonly request: HttpRequest | undefined;
}

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
}
