/**
 * A plugin that notes every callback point as it fires.
 *
 * @module
 */
import { CALLBACK_POINTS, type PointName } from "../../core/callback_points.ts";
import type {
  Attempt,
  Handlers,
  HttpResponse,
  Transaction,
} from "../../core/plugin.ts";
import { inTime } from "./eventually.ts";
import { handlersPlugin } from "./inline_plugin.ts";

/** Someone who waits for an event's nth time. */
interface Waiter {
  readonly event: string;
  readonly count: number;
  readonly resolve: () => void;
}

/** Options of a tracer. */
export interface TracerOptions {
  readonly name?: string;
  /** Its place at every point; by default before all others. */
  readonly order?: number;
}

/**
 * Notes points in the order in which they fire: `foundProduct`, `forward 1`
 * (the attempt's number), `readResponseHeader 1:200`, `readResponse 200`,
 * `requestFinish none` (no response was made), `transactionClose 200`.
 */
export class Tracer {
  readonly events: string[] = [];
  /** The entry of the config's `plugins`. */
  readonly plugin: Readonly<Record<string, unknown>>;
  #waiters: Waiter[] = [];

  constructor({ name = "tracer", order = -1_000 }: TracerOptions = {}) {
    this.plugin = { ...handlersPlugin(name, this.#handlers()), order };
  }

  /** Resolves once the event was noted so many times. */
  async seen(event: string, count = 1): Promise<void> {
    if (this.#count(event) >= count) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push({ event, count, resolve });
    await inTime(
      `${event} × ${count} in ${this.events.join(", ")}`,
      promise,
    );
  }

  /** What was noted since the last call. */
  take(): string[] {
    return this.events.splice(0);
  }

  #count(event: string): number {
    return this.events.filter((noted) => noted === event).length;
  }

  #note(event: string): void {
    this.events.push(event);
    this.#waiters = this.#waiters.filter((waiter) => {
      if (this.#count(waiter.event) < waiter.count) return true;
      waiter.resolve();
      return false;
    });
  }

  #handlers(): Handlers {
    const entries = CALLBACK_POINTS.map(({ name, handler }) => [
      name,
      (...views: unknown[]) => this.#note(text(name, handler, views)),
    ]);
    return Object.fromEntries(entries) as Handlers;
  }
}

type HandlerKind = (typeof CALLBACK_POINTS)[number]["handler"];

/** A point with what tells this time from another. */
function text(
  name: PointName,
  kind: HandlerKind,
  views: readonly unknown[],
): string {
  switch (kind) {
    case "forward":
      return `${name} ${(views[1] as Attempt).number}`;
    case "attemptResponse":
      return `${name} ${(views[2] as Attempt).number}:${
        (views[1] as HttpResponse).status
      }`;
    case "response":
      return `${name} ${
        (views[1] as HttpResponse | undefined)?.status ?? "none"
      }`;
    case "transaction":
      return name === "transactionStart"
        ? name
        : `${name} ${(views[0] as Transaction).status}`;
    default:
      return name;
  }
}

/** The points of the way to a cluster. */
export const LOCATED: readonly string[] = [
  "readRequestHeader",
  "beforeLocation",
  "foundProduct",
  "afterLocation",
  "cacheLookupComplete",
];

/** The points of an attempt up to its request. */
export function attempt(number: number): string[] {
  return [
    `forward ${number}`,
    `resolve ${number}`,
    `sendRequestHeader ${number}`,
  ];
}

/** The points from a response for the client to its transaction's end. */
export function delivered(status: number): string[] {
  return [`readResponse ${status}`, ...unparsed(status)];
}

/** As {@linkcode delivered} for a request that never parsed. */
export function unparsed(status: number): string[] {
  return [
    `sendResponseHeader ${status}`,
    `requestFinish ${status}`,
    `transactionClose ${status}`,
  ];
}

/** All points of a transaction whose first attempt is answered. */
export function answered(status: number): string[] {
  return [
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    `readResponseHeader 1:${status}`,
    ...delivered(status),
  ];
}
