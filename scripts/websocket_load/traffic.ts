/**
 * Paced clients, what happens in their midst, and what all of it left behind.
 *
 * @module
 */
import { type ClientRecord, LoadClient } from "./client.ts";
import type { ConnectionRecord, RecordBook } from "./record_book.ts";

/** A load. */
export interface TrafficOptions {
  /** Of 127.0.0.1. */
  readonly port: number;
  readonly sessions: number;
  /** Messages per second of each session. */
  readonly rate: number;
  /** Bytes of each message. */
  readonly size: number;
  readonly seconds: number;
  /** What the backends tell. */
  readonly book: RecordBook;
  /** Where something is missing and nothing moves for so many milliseconds, it is lost. Default 3,000. */
  readonly quiet?: number;
  /** Ends what backends send of their own, once clients have sent everything. */
  readonly calm?: () => Promise<void>;
}

/** Both ends' records of a run. */
export interface Evidence {
  readonly clients: readonly ClientRecord[];
  readonly connections: readonly ConnectionRecord[];
  /** When the evidence was taken, in milliseconds of the harness's clock. */
  readonly endedAt: number;
  /** By how many milliseconds the harness itself was late at worst: nothing shorter is a finding. */
  readonly late: number;
}

/** The part of a run that passes before something happens. */
const BEFORE = 0.4;

/** Traffic goes on for so many milliseconds after what happened. */
const AFTER = 1_000;

/** Nothing moves for so long where all is answered: the last records are in, in milliseconds. */
const REST = 200;

/** The default of `quiet`. */
const QUIET = 3_000;

/** Longer nobody waits, in milliseconds. */
const PATIENCE = 30_000;

/** Runs a load, and `happen` in its midst. Rejects as `happen` does. */
export async function runTraffic(
  options: TrafficOptions,
  happen?: () => Promise<void>,
): Promise<Evidence> {
  const { port, sessions, size, book } = options;
  const clients: LoadClient[] = [];
  try {
    // One after another: balancing deals them out evenly.
    for (let i = 0; i < sessions; i++) {
      clients.push(await LoadClient.open(port, i + 1, size));
    }
    const late = await pace(clients, options, happen);
    await options.calm?.();
    await settled(clients, book, options.quiet ?? QUIET);
    const evidence = {
      clients: clients.map(({ session, sent, delivered, ended }) => ({
        session,
        sent,
        delivered: [...delivered],
        ended,
      })),
      connections: book.connections,
      endedAt: performance.now(),
      late,
    };
    await inTime(Promise.all(clients.map((client) => client.close())));
    return evidence;
  } finally {
    await Promise.all(clients.map((client) => client.destroy()));
  }
}

/** Sends at the rate until it is over; by how much it was late at worst. */
async function pace(
  clients: readonly LoadClient[],
  { rate, seconds }: TrafficOptions,
  happen: (() => Promise<void>) | undefined,
): Promise<number> {
  const start = performance.now();
  const whole = seconds * 1_000;
  let end = whole;
  let failure: { readonly thrown: unknown } | undefined;
  let happening: Promise<void> | undefined;
  let late = 0;
  for (let elapsed = 0;;) {
    if (happening === undefined && elapsed >= BEFORE * whole) {
      if (happen !== undefined) end = Infinity;
      happening = happen?.().catch((thrown) => {
        failure = { thrown };
      }).finally(() => {
        end = Math.max(whole, performance.now() - start + AFTER);
      });
    }
    sendDue(clients, Math.min(elapsed, end), 1_000 / rate);
    if (failure !== undefined) throw failure.thrown;
    const alone = clients.every(({ ended }) => ended !== undefined);
    if (elapsed >= end || (alone && end < Infinity)) return late;
    await delay(1);
    const woken = performance.now() - start;
    late = Math.max(late, woken - elapsed - 1);
    elapsed = woken;
  }
}

/** Sends what is due after so many milliseconds. Each client has its own moments: all at once would measure the burst. */
function sendDue(
  clients: readonly LoadClient[],
  elapsed: number,
  interval: number,
): void {
  clients.forEach((client, i) => {
    const due = Math.ceil(elapsed / interval - i / clients.length);
    while (client.queued < due && client.ended === undefined) client.send();
  });
}

/** Waits until nothing moves any more, the longer the more is missing. */
async function settled(
  clients: readonly LoadClient[],
  book: RecordBook,
  quiet: number,
): Promise<void> {
  const living = () => clients.filter(({ ended }) => ended === undefined);
  const moves = () =>
    clients.reduce((sum, { delivered }) => sum + delivered.length, book.size);
  const start = performance.now();
  let moved = start;
  let before = moves();
  for (;;) {
    await delay(REST / 4);
    const now = performance.now();
    const count = moves();
    if (count !== before) moved = now;
    before = count;
    const complete = living().every(({ answered }) => answered);
    if (now - moved > (complete ? REST : quiet)) return;
    if (now - start > PATIENCE) return;
  }
}

/** Whoever does not answer a Close in time is cut. */
async function inTime(closed: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, 2_000);
  });
  await Promise.race([closed, patience]);
  clearTimeout(timer);
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
