/**
 * Keys of a cluster's health that don't fit each other.
 *
 * @module
 */
import { parseBackendUrl } from "./backend_url.ts";
import { backendsOf, parsedOr } from "./check_names.ts";
import type { Finding } from "./problem.ts";
import { child, entries, has, root, textAt } from "./tree.ts";
import type { Entry } from "./tree.ts";

/** What only a check with a request has. */
const HTTP_KEYS = ["method", "path", "host", "statuses", "body"];

/** Checks that would not do what they say. */
export function healthFindings(tree: unknown): Finding[] {
  return entries(root(tree), "clusters").flatMap((cluster) => {
    const health = child(cluster, "health");
    return health === undefined ? [] : [
      ...typeFindings(cluster, health),
      ...headFindings(health),
      ...statusFindings(health),
    ];
  });
}

function typeFindings(cluster: Entry, health: Entry): Finding[] {
  if (textAt(health, "type")?.value === "tcp") {
    return HTTP_KEYS.filter((key) => has(health, key)).map((key) => ({
      path: [...health.path, key],
      at: "key",
      message: "expected only with type: http, a tcp check sends nothing",
    }));
  }
  // A request is what backends of bytes would rarely understand.
  return has(health, "type") || !backendsOf(cluster).some(isTcp) ? [] : [{
    path: [...health.path, "type"],
    message:
      "is required where backends are tcp://: write type: tcp, or type: http where they answer requests",
  }];
}

function isTcp(backend: Entry): boolean {
  const url = textAt(backend, "url");
  return url !== undefined &&
    parsedOr(() => parseBackendUrl(url.value))?.scheme === "tcp";
}

/** RFC 9110 §9.3.2: an answer to HEAD has no body. */
function headFindings(health: Entry): Finding[] {
  if (!has(health, "body") || textAt(health, "method")?.value !== "HEAD") {
    return [];
  }
  return [{
    path: [...health.path, "body"],
    at: "key",
    message: "expected only with another method: an answer to HEAD has no body",
  }];
}

function statusFindings(health: Entry): Finding[] {
  const { statuses } = health.value;
  return Array.isArray(statuses) && statuses.length === 0
    ? [{
      path: [...health.path, "statuses"],
      message: "expected at least one: no backend would ever be healthy",
    }]
    : [];
}
