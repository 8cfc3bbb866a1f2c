/**
 * What came of the load, kind by kind.
 *
 * @module
 */

/** One kind's. */
export interface KindCounts {
  /** Actions that went as they should. */
  done: number;
  /** Bytes that were compared and right. */
  bytes: number;
  /** Failures that a fault of a backend explains. */
  explained: number;
  /** Failures that nothing explains. */
  unexplained: number;
  /** Wrong bytes, or answers to other questions. */
  wrong: number;
}

/** Failures are told up to so many. */
const MAX_TOLD = 50;

/** Counts. */
export class Tally {
  readonly kinds: Record<string, KindCounts> = {};
  /** Explained failures by what they were. */
  readonly explained: Record<string, number> = {};
  /** The first failures that nothing explains, and what was wrong. */
  readonly told: string[] = [];

  done(kind: string, bytes: number): void {
    const counts = this.#of(kind);
    counts.done++;
    counts.bytes += bytes;
  }

  fail(
    kind: string,
    how: "explained" | "unexplained" | "wrong",
    text: string,
  ): void {
    this.#of(kind)[how]++;
    if (how === "explained") {
      const short = text.replaceAll(/\d{4,}/g, "N").slice(0, 80);
      this.explained[short] = (this.explained[short] ?? 0) + 1;
    } else if (this.told.length < MAX_TOLD) {
      this.told.push(`${new Date().toISOString()} ${how} ${kind}: ${text}`);
    }
  }

  #of(kind: string): KindCounts {
    return this.kinds[kind] ??= {
      done: 0,
      bytes: 0,
      explained: 0,
      unexplained: 0,
      wrong: 0,
    };
  }
}
