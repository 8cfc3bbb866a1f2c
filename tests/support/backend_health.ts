/**
 * The health of a backend without the rest of it.
 *
 * @module
 */
import {
  BackendHealth,
  type HealthSettings,
} from "../../core/health/backend_health.ts";
import { BackendRow, makeRow } from "../../core/health/backend_row.ts";
import { Epoch } from "../../core/health/shared_health.ts";
import type { BackendEvent } from "../../core/plugin.ts";
import { FakeClock } from "./clock.ts";

/** A config without a word on health. */
export const NO_HEALTH = {
  passiveHealth: undefined,
  breaker: undefined,
  slowStart: undefined,
} as const satisfies Omit<HealthSettings, "weight">;

/** What a test cares for. */
export interface HealthFacts extends Partial<HealthSettings> {
  readonly clock?: FakeClock;
  readonly epoch?: Epoch;
  /** Shared with other workers of the test. */
  readonly buffer?: SharedArrayBuffer;
  /** The worker's number, of two. */
  readonly worker?: number;
}

/** The health with all that is around it. */
export interface TestHealth {
  readonly health: BackendHealth;
  readonly buffer: SharedArrayBuffer;
  readonly row: BackendRow;
  readonly clock: FakeClock;
  readonly epoch: Epoch;
  /** What it told, oldest first. */
  readonly events: readonly BackendEvent[];
  /** As `kind: from > to`, since the last call. */
  told(): string[];
}

/** Health of a backend `a` of cluster `main` with weight 1; nothing else is configured. */
export function makeHealth(facts: HealthFacts = {}): TestHealth {
  const {
    clock = new FakeClock(),
    epoch = new Epoch(),
    buffer = makeRow(2),
    worker = 0,
    ...settings
  } = facts;
  const events: BackendEvent[] = [];
  const row = new BackendRow(buffer);
  const health = new BackendHealth({
    cluster: "main",
    backend: "a",
    row,
    epoch,
    worker,
    clock,
    notify: (event) => events.push(event),
  }, { weight: 1, ...NO_HEALTH, ...settings });
  let read = 0;
  const told = () =>
    events.slice(read, read = events.length)
      .map(({ kind, from, to }) => `${kind}: ${from} > ${to}`);
  return { health, buffer, row, clock, epoch, events, told };
}
