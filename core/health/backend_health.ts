/**
 * The health of one backend as one worker uses it: what checks, traffic and
 * operators say of it, all of it in the row that the workers share.
 *
 * @module
 */
import type {
  BreakerConfig,
  PassiveHealthConfig,
} from "../config/config_health.ts";
import { inStatusRanges } from "../config/units.ts";
import type { FailureCode, ProxyError } from "../errors.ts";
import type { Clock } from "../net/clock.ts";
import type { BackendEvent } from "../plugin.ts";
import type { AdminState, BackendRow } from "./backend_row.ts";
import {
  FailureGate,
  type GateKind,
  type GateSettings,
  type GateState,
  type Ticket,
} from "./failure_gate.ts";
import { CLOSED } from "./gate_cells.ts";
import type { Epoch } from "./shared_health.ts";
import type { SlotLine } from "./slot_line.ts";
import { slowStartChangesAt, slowStartFactor } from "./slow_start.ts";

/** What a config says of a backend's health; a reload may change it. */
export interface HealthSettings {
  /** The config's weight. */
  readonly weight: number;
  readonly passiveHealth: PassiveHealthConfig | undefined;
  readonly breaker: BreakerConfig | undefined;
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

/** What an attempt got when it began, to be handed back with its result and at its end. */
export interface Permit {
  readonly passive: Ticket;
  readonly breaker: Ticket;
}

/** What passive health calls the states of its gate. */
export type PassiveState = "closed" | "ejected" | "half-open";

/** Where a backend stands, for people. */
export interface BackendStates {
  /** Whether it gets traffic like any other: no operator, check, gate or weight stands against it. */
  readonly up: boolean;
  /** What an operator wants. */
  readonly state: AdminState;
  /** What active checks say; `up` without any. */
  readonly check: "up" | "down";
  /** Undefined where the config has none, and it is not left alone for connections that hung. */
  readonly passive: PassiveState | undefined;
  /** Undefined where the config has none. */
  readonly breaker: GateState | undefined;
  /** An operator's, else the config's. */
  readonly weight: number;
  readonly configuredWeight: number;
  /** With slow start. */
  readonly weightNow: number;
  /** Requests and sessions that it serves, over all workers. */
  readonly load: number;
}

/** The last failure that this worker saw. */
export interface LastError {
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/**
 * What holds without `passiveHealth`: a backend that lets connections hang is
 * left alone for a while, so that it costs its time once and not each time that
 * its turn comes; but only while others serve, as with nginx's `max_fails`.
 */
const UNREACHED: GateSettings = { failures: 1, rest: 10_000 };

/** Failures that count then: the others cost no time, or are answers of a kind. */
const HANGS: ReadonlySet<FailureCode> = new Set([
  "connect_timeout",
  "backend_handshake_timeout",
]);

const ORDINARY: Permit = Object.freeze({ passive: CLOSED, breaker: CLOSED });

/** The health of one backend. */
export class BackendHealth {
  /** The last failure that this worker saw. */
  lastError: LastError | undefined;
  /** Who waits for a slot of it in all workers; undefined where there is one worker only. */
  readonly line: SlotLine | undefined;
  readonly #parts: BackendHealthParts;
  readonly #row: BackendRow;
  #settings: HealthSettings;
  #passive: FailureGate;
  #breaker: FailureGate | undefined;

  constructor(parts: BackendHealthParts, settings: HealthSettings) {
    this.#parts = parts;
    this.#row = parts.row;
    this.line = parts.row.line(parts.worker);
    this.#settings = settings;
    this.#passive = passiveGate(parts.row, settings);
    this.update(settings);
  }

  /** Takes what a reload changed; states and counts stay but those of a gate that is no more. */
  update(settings: HealthSettings): void {
    const { passiveHealth, breaker } = settings;
    if (passiveHealth === undefined && !this.#isLenient) {
      this.#drop(this.#passive);
    }
    if (breaker === undefined) this.#drop(this.#breaker);
    this.#settings = settings;
    this.#passive = passiveGate(this.#row, settings);
    this.#breaker = breaker && new FailureGate(
      "breaker",
      this.#row.breaker,
      { failures: breaker.failures, rest: breaker.reset },
    );
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
    return this.#isWell(now) && this.#passive.admits(now);
  }

  /** As `eligible`, also where nothing stands against it but that it let connections hang: for where nobody else serves. */
  standsIn(now: number): boolean {
    return this.#baseWeight > 0 && this.#isWell(now) &&
      (this.#isLenient || this.#passive.admits(now));
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
      this.#passive.changesAt(now),
      this.#breaker?.changesAt(now) ?? Infinity,
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
    const passive = this.#passive.state(now);
    const breaker = this.#breaker?.state(now);
    return {
      up: row.isReady && row.checkedUp && this.#baseWeight > 0 &&
        this.#passive.isClosed && this.#breaker?.isClosed !== false,
      state: row.admin,
      check: row.checkedUp ? "up" : "down",
      passive: this.#isLenient && passive === "closed"
        ? undefined
        : passive === "open"
        ? "ejected"
        : passive,
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
    const closed = this.#passive.isClosed &&
      this.#breaker?.isClosed !== false;
    const permit = closed ? ORDINARY : this.#trial();
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
      this.#pass(this.#passive, permit.passive);
    } else {
      this.#fail(
        this.#passive,
        permit.passive,
        this.#note(`It answered ${status}`),
      );
    }
    this.#pass(this.#breaker, permit.breaker);
  }

  /** It did what was asked of it. */
  succeeded(permit: Permit): void {
    this.#pass(this.#passive, permit.passive);
    this.#pass(this.#breaker, permit.breaker);
  }

  /** It could not be reached, or broke or went silent before its answer. Failures of another side don't count. */
  failed(error: ProxyError, permit: Permit): void {
    if (error.side !== "backend") return;
    const noted = this.#note(error.message);
    if (this.#isLenient && !HANGS.has(error.code)) {
      this.#pass(this.#passive, permit.passive);
    } else this.#fail(this.#passive, permit.passive, noted);
    this.#fail(this.#breaker, permit.breaker, noted);
  }

  /** The attempt is over. A trial without a result makes room for the next. */
  end(permit: Permit): void {
    this.#row.leave(this.#parts.worker);
    if (permit === ORDINARY) return;
    const now = this.#parts.clock.wall();
    const released = [
      this.#passive.release(permit.passive, now),
      this.#breaker?.release(permit.breaker, now),
    ];
    if (released.includes(true)) this.#parts.epoch.advance();
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
    const closed = [this.#passive, this.#breaker].map((gate) =>
      this.#close(gate, cause)
    );
    return closed.includes(true);
  }

  /** It was added to a proxy that serves already. */
  startSlowly(): void {
    this.#row.warmFrom = this.#parts.clock.wall();
    this.#parts.epoch.advance();
  }

  // ----------------------------------------------------------------- the rest

  /** Whether the config has no `passiveHealth`: then none is refused for it. */
  get #isLenient(): boolean {
    return this.#settings.passiveHealth === undefined;
  }

  /** Whether operator, checks and breaker let traffic go there. */
  #isWell(now: number): boolean {
    const row = this.#row;
    return row.isReady && row.checkedUp &&
      this.#breaker?.admits(now) !== false;
  }

  get #baseWeight(): number {
    return this.#row.weight ?? this.#settings.weight;
  }

  /** A permit where not all gates are closed; undefined where one lets nobody through. */
  #trial(): Permit | undefined {
    const now = this.#parts.clock.wall();
    const rests = !this.#passive.admits(now);
    // Both are asked before one is passed: a trial taken there would be for nothing.
    if (
      rests && !this.#isLenient || this.#breaker?.admits(now) === false
    ) return undefined;
    const passive = rests ? CLOSED : this.#through(this.#passive, now);
    if (passive === undefined) return undefined;
    const breaker = this.#through(this.#breaker, now);
    if (breaker === undefined) {
      this.#passive.release(passive, now);
      return undefined;
    }
    return passive === CLOSED && breaker === CLOSED
      ? ORDINARY
      : { passive, breaker };
  }

  #through(gate: FailureGate | undefined, now: number): Ticket | undefined {
    if (gate === undefined) return CLOSED;
    const passage = gate.pass(now);
    if (passage === undefined) return undefined;
    const { ticket, first } = passage;
    if (first) this.#gateChanged(gate, "open", "half-open", "The rest is over");
    else if (ticket !== CLOSED) this.#parts.epoch.advance();
    return ticket;
  }

  #drop(gate: FailureGate | undefined): void {
    this.#close(gate, "The config has no such gate any more");
  }

  #close(gate: FailureGate | undefined, cause: string): boolean {
    const before = gate?.state(this.#parts.clock.wall());
    if (gate?.close() !== true) return false;
    this.#gateChanged(gate, before!, "closed", cause);
    return true;
  }

  #pass(gate: FailureGate | undefined, ticket: Ticket): void {
    if (gate === undefined || !gate.succeed(ticket)) return;
    this.#gateChanged(gate, "half-open", "closed", "The trial succeeded");
  }

  #fail(
    gate: FailureGate | undefined,
    ticket: Ticket,
    { message, at }: LastError,
  ): void {
    if (gate === undefined || !gate.fail(ticket, at)) return;
    const { failures } = gate.settings;
    if (ticket === CLOSED) {
      const cause = failures === 1
        ? `A failure: ${message}`
        : `${failures} failures in a row, the last one: ${message}`;
      this.#gateChanged(gate, "closed", "open", cause);
    } else {
      const cause = `The trial failed: ${message}`;
      this.#gateChanged(gate, "half-open", "open", cause);
    }
  }

  #gateChanged(
    { kind }: FailureGate,
    from: GateState,
    to: GateState,
    cause: string,
  ): void {
    if (to === "closed") this.#cameBack();
    this.#changed(kind, gateWord(kind, from), gateWord(kind, to), cause);
  }

  #note(message: string): LastError {
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

function passiveGate(
  { passive }: BackendRow,
  { passiveHealth }: HealthSettings,
): FailureGate {
  return new FailureGate(
    "passive",
    passive,
    passiveHealth === undefined
      ? UNREACHED
      : { failures: passiveHealth.failures, rest: passiveHealth.coolDown },
  );
}

/** Passive health calls its open gate an ejection. */
function gateWord(kind: GateKind, state: GateState): string {
  return kind === "passive" && state === "open" ? "ejected" : state;
}

function weightWord(weight: number | undefined): string {
  return weight === undefined ? "configured" : String(weight);
}
