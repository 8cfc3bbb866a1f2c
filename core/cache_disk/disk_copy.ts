/**
 * Who holds on to what is stored on disk does so by a copy: it tells whether
 * that is still there, and may be taken back before it is written.
 *
 * @module
 */
import { type DiskIndex, NONE } from "./disk_index.ts";

/** An entry's copy on disk, written or on its way. */
export class DiskCopy {
  slot: number;
  born: number;
  /** It is not to be found, whether it is written or not. */
  cancelled = false;

  constructor(slot = NONE, born = 0) {
    this.slot = slot;
    this.born = born;
  }

  /** Whether it is written and found there. */
  isIn(index: DiskIndex): boolean {
    return !this.cancelled && this.slot !== NONE &&
      index.holds(this.slot, this.born);
  }
}
