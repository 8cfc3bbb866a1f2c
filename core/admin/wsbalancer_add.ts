/**
 * The body of wsbalancer's `/backend/add`.
 *
 * @module
 */
import type { ClusterConfig } from "../config/config.ts";
import {
  type BackendAddition,
  BackendRefusal,
} from "../supervisor/backend_changes.ts";
import { defaultId, parseGoDuration, settingsOf } from "./wsbalancer.ts";

/** Settings that are a cluster's here, each with the key that sets it and whether two values mean the same. */
const SETTINGS: readonly {
  readonly key: keyof ReturnType<typeof settingsOf>;
  /** In the file's `clusters[]`; undefined where nothing depends on it: any sane value is taken. */
  readonly from: string | undefined;
  readonly expected: string;
  /** The value in a form in which equal ones are equal texts; undefined where it is none. */
  readonly read: (value: unknown) => string | undefined;
}[] = [
  {
    key: "ping-time",
    from: "websocket.pingInterval",
    expected: "a duration above zero such as 10m0s",
    read: readDuration,
  },
  {
    key: "read-buffer-size",
    from: undefined,
    expected: "a whole number from 0",
    read: (value) => readInteger(value, 0),
  },
  {
    key: "write-buffer-size",
    from: undefined,
    expected: "a whole number from 0",
    read: (value) => readInteger(value, 0),
  },
  {
    key: "breaker-threshold",
    from: "breaker.failures",
    expected: "a whole number, below zero for none",
    read: (value) => readInteger(value, -Infinity),
  },
  {
    key: "handshake-timeout",
    from: "timeouts.connect and timeouts.response",
    expected: "a duration above zero such as 10s",
    read: readDuration,
  },
  {
    key: "pass-headers",
    from: "websocket.passHeaders",
    expected: "a list of names, or null",
    read: (value) =>
      readList(
        value,
        (item) => typeof item === "string" ? item.toLowerCase() : undefined,
      ),
  },
  {
    key: "abnormal-close-codes",
    from: "websocket.abnormalCodes",
    expected: "a list of close codes from 1000 to 4999",
    read: (value) =>
      readList(
        value,
        (item) => readInteger(item, 1000, 4999),
      ),
  },
];

/**
 * What the body asks to be added to `cluster`. A setting that is the cluster's
 * here may be given, as `/backend/config/` tells it, but not another value.
 * Throws a {@linkcode BackendRefusal}.
 */
export function parseAddition(
  body: Readonly<Record<string, unknown>>,
  cluster: ClusterConfig,
): BackendAddition {
  const { url, subcluster, ...rest } = body;
  const entry: Record<string, unknown> = rest;
  const own = settingsOf(cluster);
  for (const { key, from, expected, read } of SETTINGS) {
    const given = entry[key];
    delete entry[key];
    if (given === undefined) continue;
    const value = read(given);
    if (value === undefined) {
      throw new BackendRefusal(
        "invalid",
        `${key}: expected ${expected}, is ${JSON.stringify(given)}`,
      );
    }
    if (from !== undefined && value !== read(own[key])) {
      throw new BackendRefusal(
        "invalid",
        `${key}: expected ${
          JSON.stringify(own[key])
        } or nothing, as the cluster "${cluster.name}" sets it for all of its backends (${from}), is ${
          JSON.stringify(given)
        }`,
      );
    }
  }
  if (subcluster !== undefined && typeof subcluster !== "string") {
    throw new BackendRefusal(
      "invalid",
      `subcluster: expected a name, is ${JSON.stringify(subcluster)}`,
    );
  }
  const id = entry.id === "" ? undefined : entry.id;
  return {
    cluster: cluster.name,
    subcluster,
    entry: {
      ...entry,
      url,
      id: id ?? (typeof url === "string" ? defaultId(url) : undefined),
    },
  };
}

function readDuration(value: unknown): string | undefined {
  const milliseconds = typeof value === "string"
    ? parseGoDuration(value)
    : undefined;
  return milliseconds !== undefined && milliseconds > 0
    ? String(milliseconds)
    : undefined;
}

/** All below zero mean none. */
function readInteger(
  value: unknown,
  min: number,
  max = Infinity,
): string | undefined {
  return Number.isInteger(value) && value as number >= min &&
      value as number <= max
    ? String(Math.max(value as number, -1))
    : undefined;
}

function readList(
  value: unknown,
  read: (item: unknown) => string | undefined,
): string | undefined {
  const items = value === null ? [] : value;
  if (!Array.isArray(items)) return undefined;
  const texts = items.map(read);
  return texts.includes(undefined)
    ? undefined
    : [...new Set(texts)].sort().join();
}
