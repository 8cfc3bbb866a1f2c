/**
 * Requests at a steady rate, however long the answers take.
 *
 * @module
 */

/** What is sent, and how often. */
export interface OpenLoopOptions {
  /** A second. */
  readonly rate: number;
  /** One request on a connection of its own; rejects where it fails. */
  readonly request: () => Promise<void>;
}

/** What came of it. */
export interface OpenLoopResult {
  readonly requests: number;
  /** Failures by what the errors say. */
  readonly causes: Readonly<Record<string, number>>;
  /** Milliseconds of the slowest request. */
  readonly longest: number;
}

/** Milliseconds between two looks at how many are due. */
const TICK = 1;

/** Begins at once, until `stop`, which waits for the last answer. */
export function openLoop(
  { rate, request }: OpenLoopOptions,
): { stop(): Promise<OpenLoopResult> } {
  const causes: Record<string, number> = {};
  const open = new Set<Promise<void>>();
  const begin = performance.now();
  let requests = 0;
  let longest = 0;

  async function send(): Promise<void> {
    const sent = performance.now();
    try {
      await request();
    } catch (thrown) {
      const cause = thrown instanceof Error
        ? `${thrown.name}: ${thrown.message}`
        : String(thrown);
      causes[cause] = (causes[cause] ?? 0) + 1;
    }
    longest = Math.max(longest, performance.now() - sent);
  }

  const timer = setInterval(() => {
    const due = Math.floor((performance.now() - begin) * rate / 1_000);
    for (; requests < due; requests++) {
      const one: Promise<void> = send().then(() => void open.delete(one));
      open.add(one);
    }
  }, TICK);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      return { requests, causes, longest };
    },
  };
}
