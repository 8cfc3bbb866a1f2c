/**
 * What the parts of a shard know of their store.
 *
 * @module
 */
import type { BodyContext, BodyFile } from "./body_files.ts";
import type { DiskIndex } from "./disk_index.ts";
import type { SegmentTable } from "./segments.ts";

/** What a store's shards have in common. */
export interface ShardContext extends BodyContext {
  readonly index: DiskIndex;
  readonly segments: SegmentTable;
  /** Files of bodies by the slots of the records that name them. */
  readonly bodies: Map<number, BodyFile>;
  /** Bytes of a segment. */
  readonly segmentBytes: number;
  /** How long records wait for others to be written with them, in milliseconds; 0 = not at all. */
  readonly delay: number;
  /** Milliseconds since the epoch. */
  wall(): number;
  /** Something could not be done; `what` says what. */
  complain(what: string, error?: unknown): void;
  /** What lay in the folder was thrown away, and why. */
  thrownAway(folder: string, why: string): void;
  /** A record is in: there may be too much. */
  stored(): void;
  /** So many were forgotten for want of room. */
  evicted(count: number): void;
}
