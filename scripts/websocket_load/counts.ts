/**
 * What was lost, doubled and out of order, by the records of both ends.
 *
 * @module
 */
import type { ClientRecord } from "./client.ts";
import type { ConnectionRecord } from "./record_book.ts";
import type { Evidence } from "./traffic.ts";

/** The figures of a run. */
export interface Counts {
  /** Messages of clients. */
  readonly sent: number;
  /** Of these, those that no backend received. */
  readonly upLost: number;
  /** Receipts of a message that a backend had received before. */
  readonly upDuplicated: number;
  /** Messages received behind a later one of their session. */
  readonly upReordered: number;
  /** Messages of backends. */
  readonly pushed: number;
  /** Of these, those that their client did not get. */
  readonly downLost: number;
  /** Deliveries of a message that the client had before. */
  readonly downDuplicated: number;
  /** Messages delivered behind a later one of their session. */
  readonly downReordered: number;
  /** Messages that backends received and that none answered. */
  readonly unanswered: number;
  /** Sessions that ended before their client wanted that, with their Close codes. */
  readonly closed: readonly number[];
}

/**
 * Counts. Backends have sent what the system had taken from them; what they were
 * about to answer when their connection ended counts as unanswered.
 */
export function countMessages({ clients, connections }: Evidence): Counts {
  const sum = {
    sent: 0,
    upLost: 0,
    upDuplicated: 0,
    upReordered: 0,
    pushed: 0,
    downLost: 0,
    downDuplicated: 0,
    downReordered: 0,
    unanswered: 0,
  };
  const add = (counts: Partial<typeof sum>) => {
    for (const [key, count] of Object.entries(counts)) {
      sum[key as keyof typeof sum] += count;
    }
  };
  for (const client of clients) {
    const own = connections.filter(({ session }) => session === client.session);
    const up = countUp(client, own);
    const down = countDown(client, own);
    add(up.counts);
    add(down.counts);
    for (const number of up.received) {
      if (!down.answered.has(number)) sum.unanswered++;
    }
  }
  const closed = clients.flatMap(({ ended }) => ended ? [ended.code] : []);
  return { ...sum, closed };
}

/** From the client to all its backends, in the order of the clock that they share. */
function countUp(
  client: ClientRecord,
  connections: readonly ConnectionRecord[],
) {
  const receipts = connections
    .flatMap(({ id, received }) => received.map((each) => ({ id, ...each })))
    .sort((a, b) => a.at - b.at);
  const received = new Set<number>();
  /** The last number of each connection. */
  const last = new Map<number, number>();
  let latest = 0;
  let upDuplicated = 0;
  let upReordered = 0;
  for (const { id, number } of receipts) {
    const again = received.has(number);
    if (again) upDuplicated++;
    // A replay begins anew, but in order.
    const before = again ? last.get(id) ?? 0 : latest;
    if (number < before) upReordered++;
    received.add(number);
    last.set(id, number);
    latest = Math.max(latest, number);
  }
  let upLost = 0;
  for (let number = 1; number <= client.sent; number++) {
    if (!received.has(number)) upLost++;
  }
  const counts = { sent: client.sent, upLost, upDuplicated, upReordered };
  return { counts, received };
}

/** From all backends of a session to its client: the connections' messages, one connection after another. */
function countDown(
  client: ClientRecord,
  connections: readonly ConnectionRecord[],
) {
  const places = new Map(connections.map(({ id }, place) => [id, place]));
  const delivered = connections.map(() => new Set<number>());
  let downDuplicated = 0;
  let downReordered = 0;
  let latest = { place: 0, number: 0 };
  for (const { connection, number } of client.delivered) {
    const place = places.get(connection);
    // Another session's message is none of this one's.
    if (place === undefined) continue;
    const late = place < latest.place ||
      (place === latest.place && number < latest.number);
    if (delivered[place]!.has(number)) downDuplicated++;
    else if (late) downReordered++;
    delivered[place]!.add(number);
    if (!late) latest = { place, number };
  }
  const answered = new Set<number>();
  let pushed = 0;
  let downLost = 0;
  connections.forEach(({ sent, written }, place) => {
    const said = sent.slice(0, written);
    pushed += said.length;
    said.forEach((answers, i) => {
      answered.add(answers);
      if (!delivered[place]!.has(i + 1)) downLost++;
    });
  });
  for (const { connection, answers } of client.delivered) {
    if (places.has(connection)) answered.add(answers);
  }
  const counts = { pushed, downLost, downDuplicated, downReordered };
  return { counts, answered };
}
