/**
 * W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace a
 * request belongs to.
 *
 * @module
 */

/** A place in a trace, as `traceparent` tells it. */
export interface TracePlace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

const PARENT =
  /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** What the field tells; undefined for what can't be one. */
export function parseTraceparent(field: string): TracePlace | undefined {
  const [, version, traceId, spanId, flags = "", more] = PARENT.exec(field) ??
    [];
  if (traceId === undefined || spanId === undefined) return undefined;
  // §2.2.2: ff is no version, and only later ones than 00 may have more parts.
  if (version === "ff" || (version === "00" && more !== undefined)) {
    return undefined;
  }
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1 };
}

/** The field for the next one on the way. */
export function formatTraceparent(
  { traceId, spanId, sampled }: TracePlace,
): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

/** Random digits: never all zero. */
export function randomId(bytes: 8 | 16): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  if (random.every((byte) => byte === 0)) random[0] = 1;
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
