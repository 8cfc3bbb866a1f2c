/**
 * Runs one row: a proxy, its backends, traffic, the trigger, the figures.
 *
 * @module
 */
import { BackendFarm, type BackendProcess } from "./backend_process.ts";
import { countMessages, type Counts } from "./counts.ts";
import type { FailoverRow } from "./failover_rows.ts";
import { findGaps, type Mark, quantile } from "./gaps.ts";
import { ProxyProcess, type WebSocketMode } from "./proxy_process.ts";
import { RecordBook } from "./record_book.ts";
import { REHEARSAL, rehearse } from "./rehearsal.ts";
import { runTraffic } from "./traffic.ts";
import type { Stage } from "./triggers.ts";

/** Sessions of every row. */
export const SESSIONS = 20;

const GAP_METRIC = "headrace_websocket_failover_gap_seconds";

/** What a row showed. */
export interface FailoverFigures extends Counts {
  /** Messages that the proxy says it sent a second time. */
  readonly replayed: number;
  /** Replayed messages that handshakes promised to backends. */
  readonly promised: number;
  /** Sessions that came to another connection. */
  readonly moved: number;
  /** Sessions that stand and get no answers, or did not leave. */
  readonly stuck: number;
  /** The longest from the trigger to when the system closed the sockets of a process that was killed: nobody hears of its end before; 0 where none was. */
  readonly dying: number;
  /** Milliseconds, with the silence that the trigger itself made; NaN where no session moved. */
  readonly gapMedian: number;
  readonly gapLongest: number;
  /** Milliseconds without a backend that the proxy itself tells, in the mean; NaN where it tells of none, as for planned moves. */
  readonly ownGap: number;
  /** The median for sessions that stayed: what the machine makes of itself; NaN where none did. */
  readonly othersMedian: number;
  /** By how many milliseconds the harness was late at worst. */
  readonly late: number;
}

/** How rows are run. */
export interface FailoverOptions {
  readonly seconds: number;
  readonly mode: WebSocketMode;
  /** Nothing is rehearsed: the processes serve for the first time. Default false. */
  readonly cold?: boolean;
}

/** Runs it. Rejects with a NotThereError where the proxy has no means for its trigger. */
export async function runFailover(
  row: FailoverRow,
  { seconds, mode, cold = false }: FailoverOptions,
): Promise<FailoverFigures> {
  const { size = 64, rate = 200, think = 0, pushes = 0 } = row;
  const { backends: count = 2, spares: spareCount = 0 } = row;
  const book = new RecordBook();
  await using farm = new BackendFarm(
    { size, think, pushes, echo: false },
    (record) => {
      if (record.session !== REHEARSAL) book.add(record);
    },
  );
  const processes = await startAll(farm, count + spareCount);
  const all = [...processes];
  const spares = processes.splice(count);
  await Promise.all(processes.map((process) => process.listen()));
  const backends = processes.map(({ port }, i) => ({ id: `b${i}`, port }));
  const serving = new Map(
    backends.map(({ id }, i) => [id, processes[i]!] as const),
  );
  await using proxy = await ProxyProcess.start(backends, mode);
  const marks: Mark[] = [];
  const stage: Stage = {
    proxy,
    backends,
    process: (id) => serving.get(id)!,
    async restart(id) {
      const spare = spares.shift()!;
      const { port } = serving.get(id)!;
      serving.set(id, spare);
      await spare.listen(port);
    },
    mark(id) {
      marks.push({ at: performance.now(), left: serving.get(id)!.number });
    },
  };
  const calm = async () => {
    for (const process of serving.values()) {
      if (!process.ended) await process.tell({ calm: true });
    }
  };
  const { port } = proxy;
  if (!cold) {
    await rehearse(port, size);
    for (const spare of spares) {
      await spare.listen();
      await rehearse(spare.port, size);
    }
    // The harness and the admin interface have spoken before, too.
    await proxy.metric(GAP_METRIC);
  }
  const evidence = await runTraffic(
    { port, sessions: SESSIONS, rate, size, seconds, book, calm },
    () => row.trigger(stage),
  );
  const { moved, others, stuck } = findGaps(evidence, marks);
  return {
    ...countMessages(evidence),
    replayed: await proxy.metric("headrace_websocket_replayed_total"),
    promised: evidence.connections.reduce((sum, c) => sum + c.promised, 0),
    moved: moved.length,
    stuck,
    dying: Math.max(
      0,
      ...marks.map(({ at, left }) =>
        (all.find(({ number }) => number === left)!.goneAt ?? at) - at
      ),
    ),
    gapMedian: quantile(moved, 0.5),
    gapLongest: quantile(moved, 1),
    ownGap: 1_000 * await proxy.metric(`${GAP_METRIC}_sum`) /
      await proxy.metric(`${GAP_METRIC}_count`),
    othersMedian: quantile(others, 0.5),
    late: evidence.late,
  };
}

/** They start together: each takes a moment of its own. */
function startAll(farm: BackendFarm, count: number): Promise<BackendProcess[]> {
  return Promise.all(Array.from({ length: count }, () => farm.start()));
}
