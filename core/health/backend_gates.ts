/**
 * The gates before one backend, as one worker passes them: passive health, which
 * goes by its answers, and the circuit breaker, which goes by its failures.
 *
 * @module
 */
import type {
  BreakerConfig,
  PassiveHealthConfig,
} from "../config/config_health.ts";
import type { FailureCode } from "../errors.ts";
import type { Clock } from "../net/clock.ts";
import type { BackendRow } from "./backend_row.ts";
import {
  FailureGate,
  type GateKind,
  type GateSettings,
  type GateState,
  type Ticket,
} from "./failure_gate.ts";
import { CLOSED } from "./gate_cells.ts";
import type { Epoch } from "./shared_health.ts";

/** What a config says of a backend's gates. */
export interface GatesSettings {
  readonly passiveHealth: PassiveHealthConfig | undefined;
  readonly breaker: BreakerConfig | undefined;
}

/** What they are made of. */
export interface BackendGatesParts {
  readonly row: BackendRow;
  readonly epoch: Epoch;
  readonly clock: Clock;
  /** Is told of each change that this worker made. */
  readonly onChange: (change: GateChange) => void;
}

/** A gate has come to another state. */
export interface GateChange {
  readonly kind: GateKind;
  readonly from: PassiveState | GateState;
  readonly to: PassiveState | GateState;
  readonly cause: string;
}

/** What an attempt got when it began, to be handed back with its result and at its end. */
export interface Permit {
  readonly passive: Ticket;
  readonly breaker: Ticket;
}

/** What passive health calls the states of its gate. */
export type PassiveState = "closed" | "ejected" | "half-open";

/** Where the gates stand, for people. */
export interface GateStates {
  /** Undefined where the config has none, and the backend is not left alone for connections that hung. */
  readonly passive: PassiveState | undefined;
  /** Undefined where the config has none. */
  readonly breaker: GateState | undefined;
}

/** A failure that this worker saw. */
export interface NotedFailure {
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

/** The permit of an attempt that is no trial. */
export const ORDINARY: Permit = Object.freeze({
  passive: CLOSED,
  breaker: CLOSED,
});

/** The gates of one backend. */
export class BackendGates {
  readonly #parts: BackendGatesParts;
  #lenient: boolean;
  #passive: FailureGate;
  #breaker: FailureGate | undefined;

  constructor(parts: BackendGatesParts, settings: GatesSettings) {
    this.#parts = parts;
    this.#lenient = settings.passiveHealth === undefined;
    this.#passive = passiveGate(parts.row, settings);
    this.#breaker = breakerGate(parts.row, settings);
  }

  /** Takes what a reload changed; states and counts stay but those of a gate that is no more. */
  update(settings: GatesSettings): void {
    const { row } = this.#parts;
    if (settings.passiveHealth === undefined && !this.#lenient) {
      this.#drop(this.#passive);
    }
    if (settings.breaker === undefined) this.#drop(this.#breaker);
    this.#lenient = settings.passiveHealth === undefined;
    this.#passive = passiveGate(row, settings);
    this.#breaker = breakerGate(row, settings);
  }

  /** Whether everything may pass both. */
  get areClosed(): boolean {
    return this.#passive.isClosed && this.#breaker?.isClosed !== false;
  }

  /** Whether the breaker lets an attempt through. */
  breakerAdmits(now: number): boolean {
    return this.#breaker?.admits(now) !== false;
  }

  /** Whether passive health lets an attempt through. */
  passiveAdmits(now: number): boolean {
    return this.#passive.admits(now);
  }

  /** As `passiveAdmits`, but without `passiveHealth` whatever hung: for where nobody else serves. */
  passiveStandsIn(now: number): boolean {
    return this.#lenient || this.#passive.admits(now);
  }

  /** When time alone will make one of them admit somebody, in milliseconds since the epoch; else Infinity. */
  changesAt(now: number): number {
    return Math.min(
      this.#passive.changesAt(now),
      this.#breaker?.changesAt(now) ?? Infinity,
    );
  }

  /** Where they stand, for people. */
  states(now: number): GateStates {
    const passive = this.#passive.state(now);
    return {
      passive: this.#lenient && passive === "closed"
        ? undefined
        : passive === "open"
        ? "ejected"
        : passive,
      breaker: this.#breaker?.state(now),
    };
  }

  /** An attempt wants to pass both. Undefined where it may not, as another one is the trial that a gate waits for. */
  pass(): Permit | undefined {
    return this.areClosed ? ORDINARY : this.#trial();
  }

  /** The backend did what was asked of it. */
  succeeded(permit: Permit): void {
    this.#succeed(this.#passive, permit.passive);
    this.#succeed(this.#breaker, permit.breaker);
  }

  /** It answered, with a status that passive health takes for a failure. */
  answeredBadly(permit: Permit, noted: NotedFailure): void {
    this.#fail(this.#passive, permit.passive, noted);
    this.#succeed(this.#breaker, permit.breaker);
  }

  /** It gave no answer. */
  failed(permit: Permit, code: FailureCode, noted: NotedFailure): void {
    if (this.#lenient && !HANGS.has(code)) {
      this.#succeed(this.#passive, permit.passive);
    } else this.#fail(this.#passive, permit.passive, noted);
    this.#fail(this.#breaker, permit.breaker, noted);
  }

  /** The attempt is over. A trial without a result makes room for the next. */
  release(permit: Permit): void {
    if (permit === ORDINARY) return;
    const now = this.#parts.clock.wall();
    const released = [
      this.#passive.release(permit.passive, now),
      this.#breaker?.release(permit.breaker, now),
    ];
    if (released.includes(true)) this.#parts.epoch.advance();
  }

  /** Closes both; whether there was anything to do. */
  reset(cause: string): boolean {
    const closed = [this.#passive, this.#breaker].map((gate) =>
      this.#close(gate, cause)
    );
    return closed.includes(true);
  }

  /** A permit where not both are closed; undefined where one lets nobody through. */
  #trial(): Permit | undefined {
    const now = this.#parts.clock.wall();
    const rests = !this.#passive.admits(now);
    // Both are asked before one is passed: a trial taken there would be for nothing.
    if (rests && !this.#lenient || !this.breakerAdmits(now)) return undefined;
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
    if (first) this.#changed(gate, "open", "half-open", "The rest is over");
    else if (ticket !== CLOSED) this.#parts.epoch.advance();
    return ticket;
  }

  #drop(gate: FailureGate | undefined): void {
    this.#close(gate, "The config has no such gate any more");
  }

  #close(gate: FailureGate | undefined, cause: string): boolean {
    const before = gate?.state(this.#parts.clock.wall());
    if (gate?.close() !== true) return false;
    this.#changed(gate, before!, "closed", cause);
    return true;
  }

  #succeed(gate: FailureGate | undefined, ticket: Ticket): void {
    if (gate === undefined || !gate.succeed(ticket)) return;
    this.#changed(gate, "half-open", "closed", "The trial succeeded");
  }

  #fail(
    gate: FailureGate | undefined,
    ticket: Ticket,
    { message, at }: NotedFailure,
  ): void {
    if (gate === undefined || !gate.fail(ticket, at)) return;
    const { failures } = gate.settings;
    if (ticket === CLOSED) {
      const cause = failures === 1
        ? `A failure: ${message}`
        : `${failures} failures in a row, the last one: ${message}`;
      this.#changed(gate, "closed", "open", cause);
    } else {
      const cause = `The trial failed: ${message}`;
      this.#changed(gate, "half-open", "open", cause);
    }
  }

  #changed(
    { kind }: FailureGate,
    from: GateState,
    to: GateState,
    cause: string,
  ): void {
    this.#parts.onChange({
      kind,
      from: wordOf(kind, from),
      to: wordOf(kind, to),
      cause,
    });
  }
}

function passiveGate(
  { passive }: BackendRow,
  { passiveHealth }: GatesSettings,
): FailureGate {
  return new FailureGate(
    "passive",
    passive,
    passiveHealth === undefined
      ? UNREACHED
      : { failures: passiveHealth.failures, rest: passiveHealth.coolDown },
  );
}

function breakerGate(
  row: BackendRow,
  { breaker }: GatesSettings,
): FailureGate | undefined {
  return breaker && new FailureGate(
    "breaker",
    row.breaker,
    { failures: breaker.failures, rest: breaker.reset },
  );
}

/** Passive health calls its open gate an ejection. */
function wordOf(kind: GateKind, state: GateState): PassiveState | GateState {
  return kind === "passive" && state === "open" ? "ejected" : state;
}
