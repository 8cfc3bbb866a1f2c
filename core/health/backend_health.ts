/**
 * The health of one backend as one worker uses it: what checks, traffic and
 * operators say of it, all of it in the row that the workers share.
 *
 * @module
 */
import { inStatusRanges } from "../config/units.ts";
import type { ProxyError } from "../errors.ts";
import type { Clock } from "../net/clock.ts";
import type { BackendEvent } from "../plugin.ts";
import {
  BackendGates,
  type GatesSettings,
  type GateStates,
  type NotedFailure,
  ORDINARY,
  type Permit,
} from "./backend_gates.ts";
import type { AdminState, BackendRow } from "./backend_row.ts";
import type { Epoch } from "./shared_health.ts";
import type { SlotLine } from "./slot_line.ts";
import { slowStartChangesAt, slowStartFactor } from "./slow_start.ts";

/** What a config says of a backend's health; a reload may change it. */
export interface HealthSettings extends GatesSettings {
  /** The config's weight. */
  readonly weight: number;
  /** Milliseconds; undefined = a backend that comes back gets its whole share at once. */
  readonly slowStart: number | undefined;
}

/** What it is made of. */
export interface BackendHealthParts {
  readonly cluster: string;
  readonly backend: string;
  readonly row: BackendRow;
  readonly epoch: Epoch;
  /** The number of the worker whose uses it counts. */
  readonly worker: number;
  readonly clock: Clock;
  /** Is told of each change that this worker made. */
  readonly notify: (event: BackendEvent) => void;
}

/** Where a backend stands, for people. */
export interface BackendStates extends GateStates {
  /** Whether it gets traffic like any other: no operator, check, gate or weight stands against it. */
  readonly up: boolean;
  /** What an operator wants. */
  readonly state: AdminState;
  /** What active checks say; `up` without any. */
  readonly check: "up" | "down";
  /** An operator's, else the config's. */
  readonly weight: number;
  readonly configuredWeight: number;
  /** With slow start. */
  readonly weightNow: number;
  /** Requests and sessions that it serves, over all workers. */
  readonly load: number;
}

/** The health of one backend. */
export class BackendHealth {
  /** The last failure that this worker saw. */
  lastError: NotedFailure | undefined;
  /** Who waits for a slot of it in all workers; undefined where there is one worker only. */
  readonly line: SlotLine | undefined;
  readonly #parts: BackendHealthParts;
  readonly #row: BackendRow;
  #settings: HealthSettings;
  readonly #gates: BackendGates;

  constructor(parts: BackendHealthParts, settings: HealthSettings) {
    this.#parts = parts;
    this.#row = parts.row;
    this.line = parts.row.line(parts.worker);
    this.#settings = settings;
    const { row, epoch, clock } = parts;
    this.#gates = new BackendGates({
      row,
      epoch,
      clock,
      onChange: ({ kind, from, to, cause }) => {
        if (to === "closed") this.#cameBack();
        this.#changed(kind, from, to, cause);
      },
    }, settings);
  }

  /** Takes what a reload changed; states and counts stay but those of a gate that is no more. */
  update(settings: HealthSettings): void {
    this.#gates.update(settings);
    this.#settings = settings;
  }

  // ------------------------------------------------------------ what it is now

  /** Whether operator and weight want it to get traffic, however it is. */
  get wanted(): boolean {
    return this.#baseWeight > 0 && this.#row.isReady;
  }

  /** Whether a new session may go there at `now`, in milliseconds since the epoch. */
  eligible(now: number): boolean {
    return this.#baseWeight > 0 && this.serves(now);
  }

  /** As `eligible`, at weight 0 too: sticky sessions still come then. */
  serves(now: number): boolean {
    return this.#isWell(now) && this.#gates.passiveAdmits(now);
  }

  /** As `eligible`, also where nothing stands against it but that it let connections hang: for where nobody else serves. */
  standsIn(now: number): boolean {
    return this.#baseWeight > 0 && this.#isWell(now) &&
      this.#gates.passiveStandsIn(now);
  }

  /** Its share at `now`: an operator's weight or the config's, less while it starts slowly; a whole number only without slow start. */
  weight(now: number): number {
    const { slowStart } = this.#settings;
    if (slowStart === undefined) return this.#baseWeight;
    const { warmFrom } = this.#row;
    return this.#baseWeight * slowStartFactor(warmFrom, slowStart, now);
  }

  /**
   * When time alone will change `eligible` or `weight`, in milliseconds since
   * the epoch; Infinity where only another epoch can tell of a change.
   */
  changesAt(now: number): number {
    const { slowStart } = this.#settings;
    return Math.min(
      this.#gates.changesAt(now),
      slowStart === undefined
        ? Infinity
        : slowStartChangesAt(this.#row.warmFrom, slowStart, now),
    );
  }

  /** Requests and sessions that it serves, over all workers. */
  get load(): number {
    return this.#row.load;
  }

  /** What an operator wants. */
  get state(): AdminState {
    return this.#row.admin;
  }

  /** What active checks say; true without any. */
  get checkedUp(): boolean {
    return this.#row.checkedUp;
  }

  /** Where it stands, for people. */
  states(now: number): BackendStates {
    const row = this.#row;
    const { passive, breaker } = this.#gates.states(now);
    return {
      up: row.isReady && row.checkedUp && this.#baseWeight > 0 &&
        this.#gates.areClosed,
      state: row.admin,
      check: row.checkedUp ? "up" : "down",
      passive,
      breaker,
      weight: this.#baseWeight,
      configuredWeight: this.#settings.weight,
      weightNow: this.weight(now),
      load: row.load,
    };
  }

  // ------------------------------------------------------------ what traffic does

  /**
   * An attempt is about to use it: counted until `end`. Undefined where it may
   * not, as another attempt is the trial that a gate waits for.
   */
  begin(): Permit | undefined {
    const permit = this.#gates.pass();
    if (permit !== undefined) this.#row.enter(this.#parts.worker);
    return permit;
  }

  /** Whether more use it than `most`, this worker's last `begin` counted: others may have begun at the same moment. */
  isOver(most: number): boolean {
    return this.line !== undefined &&
      this.#row.settledLoad(this.#parts.worker) > most;
  }

  /** As `begin`, for one that goes there whatever is known of it: it is no trial where it may not be. */
  beginAnyway(): Permit {
    const permit = this.begin();
    if (permit !== undefined) return permit;
    this.#row.enter(this.#parts.worker);
    return ORDINARY;
  }

  /** It answered with a final status. */
  answered(status: number, permit: Permit): void {
    const { passiveHealth } = this.#settings;
    if (
      passiveHealth === undefined ||
      !inStatusRanges(passiveHealth.statuses, status)
    ) {
      this.#gates.succeeded(permit);
    } else {
      const noted = this.#note(`It answered ${status}`);
      this.#gates.answeredBadly(permit, noted);
    }
  }

  /** It did what was asked of it. */
  succeeded(permit: Permit): void {
    this.#gates.succeeded(permit);
  }

  /** It could not be reached, or broke or went silent before its answer. Failures of another side don't count. */
  failed(error: ProxyError, permit: Permit): void {
    if (error.side !== "backend") return;
    this.#gates.failed(permit, error.code, this.#note(error.message));
  }

  /** The attempt is over. A trial without a result makes room for the next. */
  end(permit: Permit): void {
    this.#row.leave(this.#parts.worker);
    this.#gates.release(permit);
  }

  // ------------------------------------------------------- what checks and operators do

  /** Active checks found it up or down. */
  setChecked(up: boolean, cause: string): void {
    const row = this.#row;
    if (row.checkedUp === up) return;
    row.checkedUp = up;
    if (up) this.#cameBack();
    this.#changed("check", up ? "down" : "up", up ? "up" : "down", cause);
  }

  /** An operator's wish; whether it is another one than before. */
  setState(state: AdminState, cause: string): boolean {
    const row = this.#row;
    const { admin } = row;
    if (admin === state) return false;
    row.admin = state;
    if (state === "ready") this.#cameBack();
    this.#changed("admin", admin, state, cause);
    return true;
  }

  /** An operator's weight, or undefined for the config's; whether it is another one than before. */
  setWeight(weight: number | undefined, cause: string): boolean {
    const row = this.#row;
    const before = row.weight;
    if (before === weight) return false;
    row.weight = weight;
    this.#changed("weight", weightWord(before), weightWord(weight), cause);
    return true;
  }

  /** Closes its breaker and ends its ejection; whether there was anything to do. */
  reset(cause: string): boolean {
    return this.#gates.reset(cause);
  }

  /** It was added to a proxy that serves already. */
  startSlowly(): void {
    this.#row.warmFrom = this.#parts.clock.wall();
    this.#parts.epoch.advance();
  }

  // ----------------------------------------------------------------- the rest

  /** Whether operator, checks and breaker let traffic go there. */
  #isWell(now: number): boolean {
    const row = this.#row;
    return row.isReady && row.checkedUp &&
      this.#gates.breakerAdmits(now);
  }

  get #baseWeight(): number {
    return this.#row.weight ?? this.#settings.weight;
  }

  #note(message: string): NotedFailure {
    return this.lastError = { message, at: this.#parts.clock.wall() };
  }

  /** It gets traffic again: slow start counts from now. */
  #cameBack(): void {
    this.#row.warmFrom = this.#parts.clock.wall();
  }

  #changed(
    kind: BackendEvent["kind"],
    from: string,
    to: string,
    cause: string,
  ): void {
    const { cluster, backend, epoch, clock, notify } = this.#parts;
    epoch.advance();
    notify(
      Object.freeze({
        cluster,
        backend,
        kind,
        from,
        to,
        cause,
        at: clock.wall(),
      }),
    );
  }
}

function weightWord(weight: number | undefined): string {
  return weight === undefined ? "configured" : String(weight);
}
