/**
 * Sends requests at times that are fixed beforehand, whatever the answers do,
 * and tells how long after its time each answer was there: what waits because
 * others are slow is not left out. A process of its own, without promises and
 * almost without garbage, so that it tells of the proxy and not of itself.
 *
 * Gets its task as JSON in its first argument; writes a report as JSON.
 *
 * @module
 */
import {
  close,
  connectTo,
  Memory,
  ReadyList,
  receive,
  send,
  setTimerSlack,
} from "./libc.ts";

/** What it is to do. */
export interface PacedTask {
  readonly port: number;
  readonly request: string;
  /** Bytes of each answer, its head counted. */
  readonly length: number;
  readonly connections: number;
  /** Requests a second. */
  readonly rate: number;
  readonly seconds: number;
}

/** What came of it; times in milliseconds. */
export interface PacedReport {
  /** Requests that were to be sent, and answers that came. */
  readonly planned: number;
  readonly answered: number;
  /** Answers of another status, connections that ended. */
  readonly wrong: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** How late requests were sent for which a connection was free, at the 99th percentile. */
  readonly late: number;
}

/** Milliseconds in which it learns its own code, not reported. */
const WARM_UP = 500;

/** The longest wait for answers behind the last request, in milliseconds. */
const GRACE = 1_000;

/** The longest wait in one go, in milliseconds. */
const MAX_WAIT = 100;

const STATUS = new TextEncoder().encode("HTTP/1.1 200 ");
const NONE = -1;

class Pace {
  readonly #task: PacedTask;
  readonly #request: Memory;
  readonly #buffer = new Memory(new Uint8Array(64 << 10));
  readonly #ready: ReadyList;
  readonly #fds: Int32Array;
  /** Which request a connection is at, and how much of its answer is there. */
  readonly #at: Int32Array;
  readonly #held: Int32Array;
  /** Connections that are free, who is longest first: a ring. */
  readonly #free: Int32Array;
  #firstFree = 0;
  #freeCount: number;
  /** Since when one is. */
  #freeSince = 0;
  /** When the first request is to be sent, and how much later each next one. */
  readonly #start: number;
  readonly #step: number;
  readonly #planned: number;
  #next = 0;
  #answered = 0;
  #wrong = 0;
  readonly #latency: Float64Array;
  readonly #late: Float64Array;

  constructor(task: PacedTask) {
    const { connections, rate, seconds, port } = task;
    this.#task = task;
    this.#request = new Memory(new TextEncoder().encode(task.request));
    this.#ready = new ReadyList(connections);
    this.#fds = Int32Array.from({ length: connections }, () => connectTo(port));
    this.#fds.forEach((fd, i) => this.#ready.add(fd, i));
    this.#at = new Int32Array(connections).fill(NONE);
    this.#held = new Int32Array(connections);
    this.#free = Int32Array.from({ length: connections }, (_, i) => i);
    this.#freeCount = connections;
    this.#planned = Math.floor(rate * (seconds + WARM_UP / 1_000));
    this.#latency = new Float64Array(this.#planned).fill(NONE);
    this.#late = new Float64Array(this.#planned);
    this.#step = 1_000 / rate;
    this.#start = performance.now() + 10;
  }

  run(): PacedReport {
    setTimerSlack(1);
    const end = this.#due(this.#planned) + GRACE;
    for (;;) {
      const now = performance.now();
      this.#sendDue(now);
      if (this.#answered === this.#planned || now > end) break;
      const count = this.#ready.wait(this.#pause());
      for (let i = 0; i < count; i++) this.#receive(this.#ready.tag(i));
    }
    for (const fd of this.#fds) if (fd !== NONE) close(fd);
    return this.#report(end);
  }

  #due(request: number): number {
    return this.#start + request * this.#step;
  }

  #sendDue(now: number): void {
    while (
      this.#next < this.#planned && this.#freeCount > 0 &&
      this.#due(this.#next) <= now
    ) {
      const slot = this.#free[this.#firstFree]!;
      this.#firstFree = (this.#firstFree + 1) % this.#free.length;
      this.#freeCount--;
      this.#at[slot] = this.#next;
      this.#held[slot] = 0;
      const sent = performance.now();
      const since = Math.max(this.#due(this.#next), this.#freeSince);
      this.#late[this.#next] = sent - since;
      this.#next++;
      if (!send(this.#fds[slot]!, this.#request)) this.#lose(slot);
    }
  }

  /** Until the next one is due; until something comes where none can be sent. */
  #pause(): number {
    if (this.#freeCount === 0 || this.#next === this.#planned) return MAX_WAIT;
    const rest = this.#due(this.#next) - performance.now();
    return Math.min(Math.max(rest, 0), MAX_WAIT);
  }

  #receive(slot: number): void {
    const count = receive(this.#fds[slot]!, this.#buffer);
    // What comes unasked is as wrong as an end.
    if (count <= 0 || this.#at[slot] === NONE) return this.#lose(slot);
    if (this.#held[slot] === 0 && !this.#isRight()) this.#wrong++;
    this.#held[slot]! += count;
    if (this.#held[slot]! < this.#task.length) return;
    if (this.#held[slot]! > this.#task.length) this.#wrong++;
    const now = performance.now();
    const request = this.#at[slot]!;
    this.#latency[request] = now - this.#due(request);
    this.#answered++;
    this.#at[slot] = NONE;
    if (this.#freeCount === 0) this.#freeSince = now;
    const behind = (this.#firstFree + this.#freeCount) % this.#free.length;
    this.#free[behind] = slot;
    this.#freeCount++;
  }

  #isRight(): boolean {
    return STATUS.every((byte, i) => this.#buffer.bytes[i] === byte);
  }

  /** A connection is of no more use. */
  #lose(slot: number): void {
    if (this.#fds[slot] === NONE) return;
    close(this.#fds[slot]!);
    this.#fds[slot] = NONE;
    this.#wrong++;
    if (this.#at[slot] === NONE) this.#forget(slot);
  }

  /** It is not free any more. */
  #forget(slot: number): void {
    const { length } = this.#free;
    const kept: number[] = [];
    for (let i = 0; i < this.#freeCount; i++) {
      const other = this.#free[(this.#firstFree + i) % length]!;
      if (other !== slot) kept.push(other);
    }
    this.#free.set(kept);
    this.#firstFree = 0;
    this.#freeCount = kept.length;
  }

  #report(end: number): PacedReport {
    const first = Math.floor(WARM_UP / this.#step);
    // Who got no answer waited until the end, at least.
    const latency = this.#latency.map((value, i) =>
      value === NONE ? end - this.#due(i) : value
    ).subarray(first).sort();
    const late = this.#late.subarray(first).sort();
    return {
      planned: this.#planned,
      answered: this.#answered,
      wrong: this.#wrong,
      p50: shareOf(latency, 0.5),
      p99: shareOf(latency, 0.99),
      p999: shareOf(latency, 0.999),
      max: latency.at(-1)!,
      late: shareOf(late, 0.99),
    };
  }
}

/** What so great a share of the values is at most. */
function shareOf(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share))]!;
}

if (import.meta.main) {
  const task: PacedTask = JSON.parse(Deno.args[0]!);
  console.log(JSON.stringify(new Pace(task).run()));
}
