import type {
  Candidate,
  PlaneControl,
  PlaneReport,
} from "../../../core/data_plane/control.ts";
import { createProxyMetrics } from "../../../core/observe/metric_names.ts";
import { MetricRegistry } from "../../../core/observe/metrics.ts";
import {
  mergeSnapshots,
  type MetricSnapshot,
} from "../../../core/observe/metric_snapshot.ts";
import { createLog } from "../../../core/observe/log.ts";
import type { Backends } from "../../../core/supervisor/backends.ts";
import { DEFAULT_HEARTBEAT } from "../../../core/supervisor/heartbeat.ts";
import { Slots, type SlotsOptions } from "../../../core/supervisor/slots.ts";
import {
  type PlaneStart,
  WorkerLostError,
} from "../../../core/supervisor/start_plane.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { metricValue } from "../../support/metric_value.ts";

Deno.test("Slots: a place that is filled as the proxy begins to drain is empty again", async () => {
  const clock = new FakeClock();
  const committed = Promise.withResolvers<void>();
  const planes: {
    readonly start: PlaneStart;
    commits: number;
    ended: boolean;
  }[] = [];
  const backends: Partial<Backends> = {
    epoch: new SharedArrayBuffer(4),
    openSeat: () => {},
    loseSeat: () => {},
  };
  const options: Partial<SlotsOptions> = {
    workers: 1,
    clock,
    backends: backends as Backends,
    metrics: createProxyMetrics(new MetricRegistry()),
    log: createLog({ write: () => {} }),
    heartbeat: DEFAULT_HEARTBEAT,
    startPlane(start) {
      const plane = { start, commits: 0, ended: false };
      planes.push(plane);
      const control: Partial<PlaneControl> = {
        prepare: () =>
          Promise.resolve({ ports: {}, addresses: [], memories: [] }),
        commit() {
          plane.commits++;
          return committed.promise;
        },
      };
      return {
        control: control as PlaneControl,
        tellOfCache: () => {},
        terminate: () => plane.ended = true,
      };
    },
  };
  const filled: Promise<void>[] = [];
  const slots = new Slots(options as SlotsOptions, (fill) => {
    filled.push(fill({ revision: 1 } as Candidate));
  });
  planes[0]!.start.onLost(new WorkerLostError("It exited"));
  clock.advance(100);
  const next = planes[1]!;
  await eventually("its commit", () => next.commits === 1);
  slots.close();
  committed.resolve();
  await Promise.all(filled);
  assert(next.ended);
  assertEquals(slots.controls, []);
});

Deno.test("Slots: who is lost while others are asked counts once", async () => {
  const starts: PlaneStart[] = [];
  const slow = Promise.withResolvers<void>();
  const backends: Partial<Backends> = {
    epoch: new SharedArrayBuffer(4),
    openSeat: () => {},
    loseSeat: () => {},
  };
  const metrics: MetricSnapshot = {
    metrics: [{
      type: "counter",
      name: "headrace_sessions_total",
      help: "",
      labels: [],
      merge: "sum",
      series: [{ labels: [], value: 7 }],
    }],
  };
  const options: Partial<SlotsOptions> = {
    workers: 2,
    clock: new FakeClock(),
    backends: backends as Backends,
    metrics: createProxyMetrics(new MetricRegistry()),
    log: createLog({ write: () => {} }),
    heartbeat: DEFAULT_HEARTBEAT,
    startPlane(start) {
      const first = starts.push(start) === 1;
      const control: Partial<PlaneControl> = {
        async report() {
          if (!first) await slow.promise;
          return { metrics } as PlaneReport;
        },
      };
      return {
        control: control as PlaneControl,
        tellOfCache: (_notice, ports) => ports.forEach((port) => port.close()),
        terminate: () => {},
      };
    },
  };
  const slots = new Slots(options as SlotsOptions, () => {});
  const reports = slots.report(0);
  // The first has answered by then.
  await new Promise((resolve) => setTimeout(resolve));
  starts[0]!.onLost(new WorkerLostError("It exited"));
  slow.resolve();
  const told = (await reports).map(({ metrics }) => metrics);
  const sum = mergeSnapshots([...told, ...slots.lost.snapshots]);
  assertEquals(metricValue(sum, "headrace_sessions_total"), 14);
});
