/**
 * The schemas of a cluster's health.
 *
 * @module
 */
import type { z } from "zod";
import type {
  BreakerConfig,
  HealthConfig,
  PassiveHealthConfig,
} from "./config_health.ts";
import {
  choice,
  duration,
  hostField,
  integer,
  statusRange,
  text,
  token,
} from "./scalars.ts";
import {
  listWithDefault,
  mapping,
  optional,
  required,
  withDefault,
} from "./schema_parts.ts";

/** Checks that come faster than this are a load of their own, in milliseconds. */
const SHORTEST_INTERVAL = 10;

/** `clusters[].health` */
export const health: z.ZodType<HealthConfig> = mapping(
  "Active checks, made once per process.",
  {
    type: withDefault(
      "http",
      choice("A request, or only a connection.", ["http", "tcp"]),
    ),
    method: withDefault("GET", token("The request's method.")),
    path: withDefault(
      "/",
      text("The request's path and query.", {
        // RFC 9112 §3.2.1: what no request line can hold is no path.
        pattern: '^/[!-"$-~]*$',
        expected:
          "a path that begins with a slash, its special characters percent-encoded",
      }),
    ),
    host: optional(
      hostField("The Host header; left out = the backend's.", "a host name"),
    ),
    statuses: listWithDefault(
      ["200-399"],
      "Statuses that count as healthy.",
      required(statusRange("A status or a range of them.")),
    ),
    body: optional(
      text("Text that the first 64 KiB of the body must contain."),
    ),
    interval: withDefault(
      "2s",
      duration("Between two checks, give or take 10 %.", {
        min: SHORTEST_INTERVAL,
      }),
    ),
    timeout: withDefault("1s", duration("How long one may take in all.")),
    rise: withDefault(
      2,
      integer("Good checks in a row to be up.", { min: 1, max: 1000 }),
    ),
    fall: withDefault(
      3,
      integer("Bad checks in a row to be down.", { min: 1, max: 1000 }),
    ),
  },
);

/** `clusters[].passiveHealth` */
export const passiveHealth: z.ZodType<PassiveHealthConfig> = mapping(
  "Health by what requests meet. Left out: only a backend that lets connections hang is left alone, for 10 s and while others serve.",
  {
    failures: withDefault(
      5,
      integer("Failures in a row that eject a backend.", { min: 1 }),
    ),
    statuses: listWithDefault(
      ["502-504"],
      "Statuses that count as failures.",
      required(statusRange("A status or a range of them.")),
    ),
    coolDown: withDefault(
      "10s",
      duration("How long the backend is left alone."),
    ),
  },
);

/** `clusters[].breaker` */
export const breaker: z.ZodType<BreakerConfig> = mapping("Circuit breaker.", {
  failures: withDefault(
    5,
    integer("Failures in a row that open it.", { min: 1 }),
  ),
  reset: withDefault("30s", duration("Until the backend is tried again.")),
});
