/**
 * Backups: backends that serve only where no other of the cluster can.
 *
 * @module
 */

/** A backend that may be a backup. */
export interface Reserve {
  readonly backup: boolean;
}

/** Who is offered to a cluster's policies. */
export interface Offer<M> {
  /** By subcluster, in the order given; some or all may be empty. */
  readonly members: readonly (readonly M[])[];
  /** Whether these are the backups. */
  readonly backups: boolean;
}

/**
 * The available members of each subcluster that are no backups. Only where the
 * whole cluster has none of these, the available backups, all at once, as
 * HAProxy's `allbackups`: one alone would hardly bear what a cluster bore.
 *
 * `available`: it is up and its weight is above 0. Whether it has a free slot
 * does not count: a busy cluster is one that queues, not one that is down.
 */
export function offerMembers<M extends Reserve>(
  subclusters: readonly (readonly M[])[],
  available: (member: M) => boolean,
): Offer<M> {
  const offer = (backups: boolean): Offer<M> => ({
    members: subclusters.map((members) =>
      members.filter((member) => member.backup === backups && available(member))
    ),
    backups,
  });
  const normal = offer(false);
  return normal.members.some((members) => members.length > 0)
    ? normal
    : offer(true);
}
