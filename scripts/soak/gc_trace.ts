/**
 * What `--trace-gc` of V8 prints, as figures. It prints one line for each
 * collection; with incremental marking it tells how many steps came before, how
 * long they took and how long the longest one was.
 *
 * @module
 */

/** One collection of one isolate. */
export interface Collection {
  readonly isolate: string;
  readonly kind: "scavenge" | "mark-compact";
  /** Milliseconds that everything stood still. */
  readonly pause: number;
  /** Milliseconds of the longest step of marking before it; 0 where there was none. */
  readonly step: number;
  /** Megabytes of live objects behind it. */
  readonly heap: number;
}

const LINE =
  /^\[\d+:(0x[0-9a-f]+)(?::\d+)?\]\s+\d+ ms: (.*?) [\d.]+ \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB, (?:pooled: [\d.]+ MB, )?([\d.]+) \/ [\d.]+ ms/;

/** A line of it; undefined for any other. */
export function parseCollection(line: string): Collection | undefined {
  const match = LINE.exec(line);
  if (match === null) return undefined;
  const [, isolate = "", kind = "", heap = "", pause = ""] = match;
  return {
    isolate,
    kind: /scavenge|minor/i.test(kind) ? "scavenge" : "mark-compact",
    pause: Number(pause),
    step: Number(/biggest step ([\d.]+) ms/.exec(line)?.[1] ?? 0),
    heap: Number(heap),
  };
}

/** Pauses of a time. */
export interface PauseFigures {
  readonly count: number;
  /** Milliseconds; 0 where there was none. */
  readonly median: number;
  readonly p99: number;
  readonly longest: number;
  /** The sum. */
  readonly all: number;
}

/** Keeps what was parsed. */
export class CollectionBook {
  readonly collections: Collection[] = [];
  /** The last of each isolate that tells most: scavenges leave old garbage where it is. */
  readonly #last = new Map<string, Collection>();

  /** Takes a line of the process; whether it was one of a collection. */
  take(line: string): boolean {
    const collection = parseCollection(line);
    if (collection === undefined) return false;
    this.collections.push(collection);
    const { isolate, kind } = collection;
    const before = this.#last.get(isolate)?.kind;
    if (kind === "mark-compact" || before !== "mark-compact") {
      this.#last.set(isolate, collection);
    }
    return true;
  }

  /** Megabytes of live objects of all isolates, each behind its last mark-compact, or its last scavenge before there was one. */
  get heap(): number {
    return [...this.#last.values()].reduce((sum, { heap }) => sum + heap, 0);
  }
}

/** The pauses of a kind, or of both. A step of marking is a pause of its own. */
export function pauseFigures(
  collections: readonly Collection[],
  kind?: Collection["kind"],
): PauseFigures {
  const pauses = collections
    .filter((each) => kind === undefined || each.kind === kind)
    .flatMap(({ pause, step }) => step > 0 ? [pause, step] : [pause])
    .sort((a, b) => a - b);
  return {
    count: pauses.length,
    median: quantile(pauses, 0.5),
    p99: quantile(pauses, 0.99),
    longest: quantile(pauses, 1),
    all: pauses.reduce((sum, each) => sum + each, 0),
  };
}

/** Of sorted values, the least that as many are not above; 0 of none. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = Math.max(0, Math.ceil(share * sorted.length) - 1);
  return sorted[at] ?? 0;
}
