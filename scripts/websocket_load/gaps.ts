/**
 * How long clients heard nothing, and which sessions did not come away.
 *
 * @module
 */
import type { ClientRecord } from "./client.ts";
import type { ConnectionRecord } from "./record_book.ts";
import type { Evidence } from "./traffic.ts";

/** Something that happened to backends. */
export interface Mark {
  /** Milliseconds of the harness's clock. */
  readonly at: number;
  /** The backend process that its sessions are to leave. */
  readonly left: number;
}

/** What a run's sessions went through; milliseconds in ascending order. */
export interface Gaps {
  /**
   * For each session that came to another connection, the longest silence on the
   * way there, above what is normal between two of its messages.
   */
  readonly moved: readonly number[];
  /** The same for the sessions that stayed, at the same times: what the machine makes of itself. */
  readonly others: readonly number[];
  /** Sessions that stand, but did not leave, or heard nothing from where they went. */
  readonly stuck: number;
}

/** A time in which sessions were on their way. */
interface Way {
  readonly from: number;
  readonly until: number;
}

/** Finds them. */
export function findGaps(
  { clients, connections, endedAt }: Evidence,
  marks: readonly Mark[],
): Gaps {
  const moved: number[] = [];
  const stayed: ClientRecord[] = [];
  const allWays: Way[] = [];
  let stuck = 0;
  for (const client of clients) {
    const own = connections.filter(({ session }) => session === client.session);
    const ways = waysOf(client, own, marks, endedAt);
    if (ways.length === 0) stayed.push(client);
    else moved.push(longestGap(client, ways));
    allWays.push(...ways);
    if (client.ended === undefined && isStuck(client, own, marks)) stuck++;
  }
  const others = allWays.length === 0
    ? []
    : stayed.map((client) => longestGap(client, allWays));
  moved.sort((a, b) => a - b);
  others.sort((a, b) => a - b);
  return { moved, others, stuck };
}

/** From what made a session leave a connection until it heard from a later one. */
function waysOf(
  { delivered }: ClientRecord,
  connections: readonly ConnectionRecord[],
  marks: readonly Mark[],
  endedAt: number,
): Way[] {
  return connections.slice(1).map(({ openedAt }, i) => {
    const from = marks.findLast(({ at }) => at <= openedAt)?.at ?? openedAt;
    const later = new Set(connections.slice(i + 1).map(({ id }) => id));
    const arrived = delivered.find(({ connection }) => later.has(connection));
    return { from, until: Math.max(from, arrived?.at ?? endedAt) };
  });
}

/** The longest silence that any of the ways has a part in, above the normal step. */
function longestGap(client: ClientRecord, ways: readonly Way[]): number {
  const { delivered } = client;
  return Math.max(...ways.map(({ from, until }) => {
    const before = delivered.findLast(({ at }) => at <= from)?.at ?? from;
    const after = delivered.find(({ at }) => at >= until)?.at ?? until;
    const between = delivered.map(({ at }) => at)
      .filter((at) => at > before && at < after);
    const silence = longestStep([before, ...between, after]);
    return Math.max(0, silence - normalStep(client, from));
  }));
}

/** The median of the steps before `cause`. */
function normalStep({ delivered }: ClientRecord, cause: number): number {
  const times = delivered.map(({ at }) => at).filter((at) => at < cause);
  const steps = times.slice(1).map((at, i) => at - times[i]!);
  steps.sort((a, b) => a - b);
  return steps[steps.length >> 1] ?? 0;
}

function longestStep(times: readonly number[]): number {
  return Math.max(0, ...times.slice(1).map((at, i) => at - times[i]!));
}

/** Whether a backend was to be left and the session's way from it ends nowhere. */
function isStuck(
  { delivered }: ClientRecord,
  connections: readonly ConnectionRecord[],
  marks: readonly Mark[],
): boolean {
  return marks.some(({ at, left }) => {
    const place = connections.findLastIndex(({ openedAt }) => openedAt <= at);
    if (connections[place]?.backend !== left) return false;
    const later = new Set(connections.slice(place + 1).map(({ id }) => id));
    return !delivered.some(({ connection }) => later.has(connection));
  });
}

/** The value at a part of an ascending list, 0.5 for the median; NaN of an empty one. */
export function quantile(
  ascending: ArrayLike<number>,
  part: number,
): number {
  const place = Math.min(
    ascending.length - 1,
    Math.floor(part * ascending.length),
  );
  return ascending[place] ?? NaN;
}
