/**
 * An explanation as text for a terminal.
 *
 * @module
 */
import type { ConditionTrace } from "../conditions/trace.ts";
import type { RedirectConfig } from "../config/config.ts";
import { formatHost } from "../net/address.ts";
import type {
  BackendFacts,
  ClusterFacts,
  ExplainedOutcome,
  Explanation,
  PointHandlers,
  ProductChoice,
  RequestFacts,
  RetryFacts,
  RuleAim,
  RuleResult,
} from "./explanation.ts";

/** Columns of a line's heading. */
const HEADING = 11;

/** The text of an explanation, without a line break at its end. */
export function printExplanation(explanation: Explanation): string {
  const { request, listener, product, rules, cluster, outcome } = explanation;
  return [
    ...request === undefined ? [] : section("request", [
      `${requestLine(request)}, from ${request.clientAddress}${
        request.trusted ? " through a trusted proxy" : ""
      }`,
    ]),
    ...section("listener", [
      `${listener.name} (${listener.addresses.join(", ")}): ${listener.why}`,
      ...listener.tls === undefined
        ? []
        : [`TLS by ${listener.tls.runtime}: ${listener.tls.reason}`],
    ]),
    ...product === undefined
      ? []
      : section("product", [`${product.name}: ${whyProduct(product)}`]),
    ...section("rules", rules.flatMap(ruleLines)),
    ...cluster === undefined ? [] : clusterLines(cluster),
    ...section("outcome", [outcomeText(outcome)]),
    ...section("handlers", handlerLines(explanation.points)),
    ...explanation.notes.flatMap((note) => section("note", [note])),
  ].join("\n");
}

function requestLine(request: RequestFacts): string {
  const { method, scheme, host, target } = request;
  const path = target === "*" ? " *" : target;
  return `${method} ${scheme}://${formatHost(host)}${path}`;
}

/** Lines under a heading; none without lines. */
function section(heading: string, lines: readonly string[]): string[] {
  return lines.map((line, i) =>
    `${(i === 0 ? heading : "").padEnd(HEADING)}${line}`
  );
}

function whyProduct({ by, host }: ProductChoice): string {
  switch (by) {
    case "exact":
      return "its host is the request's";
    case "wildcard":
      return `its host ${host} covers the request's`;
    case "default":
      return "no product has the host, it is the default";
  }
}

function ruleLines(rule: RuleResult): string[] {
  const { number, when, matched, error, condition } = rule;
  const head = `${number}. ${
    matched ? "yes" : error === undefined ? "no " : "failed"
  }  ${when?.trim() ?? "every request"}`;
  const parts = condition?.parts ?? [];
  return [
    `${head}${matched ? `  → ${aimText(rule.leadsTo)}` : ""}`,
    ...error === undefined ? [] : [`     ${error}`],
    // A single primitive's answer is the whole's.
    ...parts.flatMap((part) => conditionLines(part, 2)),
  ];
}

function conditionLines(trace: ConditionTrace, depth: number): string[] {
  const { text, result, parts } = trace;
  const word = result === undefined ? "-  " : result ? "yes" : "no ";
  return [
    `${"  ".repeat(depth)} ${word}  ${text}`,
    ...parts.flatMap((part) => conditionLines(part, depth + 1)),
  ];
}

function aimText(aim: RuleAim): string {
  switch (aim.kind) {
    case "cluster":
      return `cluster ${aim.cluster}`;
    case "redirect":
      return `redirect ${aim.status} to ${redirectText(aim)}`;
    case "respond":
      return `response ${aim.status}`;
  }
}

function redirectText({ to, scheme, port }: RedirectConfig): string {
  if (to !== undefined) return to;
  return `the same URL by ${scheme}${
    port === undefined ? "" : ` at port ${port}`
  }`;
}

function clusterLines(cluster: ClusterFacts): string[] {
  const { name, balance, hash, sticky, blackhole, panics, queue } = cluster;
  const about = [
    `balance ${balance}`,
    ...hash === undefined ? [] : [
      hash.value === undefined
        ? `no ${hash.key} to hash, so in turns`
        : `hash of ${hash.key} ${JSON.stringify(hash.value)}`,
    ],
    ...blackhole > 0 ? [`blackhole of weight ${blackhole}`] : [],
    ...panics ? ["panic: all are used"] : [],
  ];
  const width = Math.max(
    0,
    ...cluster.subclusters.flatMap(({ backends }) =>
      backends.map(({ id }) => id.length)
    ),
  );
  return [
    ...section("cluster", [
      `${name}: ${about.join(", ")}`,
      ...sticky === undefined
        ? []
        : [`sticky cookie ${sticky.cookie}: ${stickyText(sticky)}`],
    ]),
    ...section(
      "backends",
      cluster.subclusters.flatMap((subcluster) => [
        `${subcluster.name}, weight ${subcluster.weight}`,
        ...subcluster.backends.map((backend) =>
          `${backend.id === cluster.pick.backend ? "→" : " "} ${
            backend.id.padEnd(width)
          }  ${backendText(backend)}`
        ),
      ]),
    ),
    ...section("pick", [
      `${
        cluster.pick.backend ?? cluster.pick.subcluster ?? "none"
      }: ${cluster.pick.why}${
        cluster.pick.waits ? ", once a slot is free" : ""
      }`,
    ]),
    ...section("retries", [retryText(cluster.retries)]),
    ...section(
      "queue",
      queue.waiting > 0 ||
        cluster.subclusters.some(({ backends }) =>
          backends.some(({ maxConnections }) => maxConnections !== undefined)
        )
        ? [
          `${queue.waiting} of ${queue.size} wait for a slot, each at most ${queue.timeout} ms`,
        ]
        : [],
    ),
  ];
}

function stickyText(
  { given, backend }: NonNullable<ClusterFacts["sticky"]>,
): string {
  if (!given) return "the request has none";
  return backend === undefined
    ? "the request's leads to no backend that can serve"
    : `the request's leads to ${backend}`;
}

function backendText(backend: BackendFacts): string {
  const { url, configuredWeight, weightNow, load, maxConnections } = backend;
  const gates = [
    ...backend.passive === undefined ? [] : [`passive ${backend.passive}`],
    ...backend.breaker === undefined ? [] : [`breaker ${backend.breaker}`],
  ];
  const slots = maxConnections === undefined ? "" : ` of ${maxConnections}`;
  return [
    url,
    `weight ${rounded(weightNow)}${
      weightNow === configuredWeight ? "" : ` (config: ${configuredWeight})`
    }`,
    `load ${load}${slots}`,
    `${backend.state}, checks ${backend.check}`,
    ...gates,
    ...backend.backup ? ["backup"] : [],
    ...backend.why === undefined ? [] : [`no candidate: ${backend.why}`],
  ].join(", ");
}

function rounded(weight: number): number {
  return Math.round(weight * 100) / 100;
}

function retryText(retries: RetryFacts): string {
  const { max, crossSubcluster, causes, budget, repeatable } = retries;
  if (max === 0) return "none";
  const rules =
    `at most ${max}, of these ${crossSubcluster} in another subcluster, after ${
      causes.join(", ")
    }, within ${rounded(budget * 100)} % of the requests`;
  if (repeatable === undefined) return rules;
  return `${rules}; this request ${
    repeatable
      ? "may be sent again"
      : "is sent again only where no backend has heard of it"
  }`;
}

function outcomeText(outcome: ExplainedOutcome): string {
  switch (outcome.kind) {
    case "forward":
      if (outcome.dialer !== undefined) {
        return `handed to the dialer ${outcome.dialer}`;
      }
      return `sent to ${
        outcome.backend === undefined
          ? "one of the candidates"
          : `backend ${outcome.backend}`
      }`;
    case "redirect":
      return `redirect ${outcome.status} to ${outcome.to}`;
    case "respond":
      return `response ${outcome.status}: ${outcome.why}`;
    case "refuse":
      return outcome.status === 0
        ? `the connection is closed (${outcome.code}): ${outcome.why}`
        : `${outcome.status} (${outcome.code}): ${outcome.why}`;
  }
}

function handlerLines(points: readonly PointHandlers[]): string[] {
  const handled = points.filter(({ handlers }) => handlers.length > 0);
  if (handled.length === 0) return ["none"];
  const width = Math.max(...handled.map(({ point }) => point.length));
  return handled.map(({ point, handlers }) =>
    `${point.padEnd(width)}  ${
      handlers.map(({ plugin, scope, order }) =>
        `${plugin} (${scope}, order ${order})`
      ).join(", then ")
    }`
  );
}
