/**
 * A cluster as one request finds it: who could serve it, and who would.
 *
 * @module
 */
import { BLACKHOLE, type Cluster } from "../balance/cluster.ts";
import { hashKey } from "../balance/hash_key.ts";
import { type PickContext, UNTOLD } from "../balance/policy.ts";
import type { Backend, BackendShare } from "../connect/backend.ts";
import { FAILURES } from "../errors.ts";
import type { BackendStates } from "../health/backend_health.ts";
import type {
  BackendFacts,
  ClusterFacts,
  ExplainedOutcome,
  PickFacts,
  StickyFacts,
} from "./explanation.ts";

/** A request as its retries see it. */
export interface Repeated {
  readonly method: string;
  /** As in a `RequestHead`; 0 where the body is kept whole anyway. */
  readonly bodyLength: number;
}

/** A cluster's facts and what becomes of the request there. */
export interface ExplainedCluster {
  readonly facts: ClusterFacts;
  readonly outcome: ExplainedOutcome;
}

/**
 * Explains it at `now`, in milliseconds since the epoch; `repeated` is undefined
 * for a tcp session, `dialer` but for a WebSocket session that goes to one.
 */
export function explainCluster(
  cluster: Cluster,
  context: PickContext,
  repeated: Repeated | undefined,
  now: number,
  dialer?: string,
): ExplainedCluster {
  const { config, life, queue } = cluster;
  const { name, balance, blackhole } = config;
  const { pick, outcome } = dialer === undefined
    ? explainPick(cluster, context)
    : dialled(dialer);
  const { max, crossSubcluster, causes, methods, budget, bufferBytes } =
    cluster.retries.config;
  return {
    outcome,
    facts: {
      name,
      balance,
      hash: balance === "hash" ? hashFacts(cluster, context) : undefined,
      sticky: stickyFacts(cluster, context),
      blackhole,
      panics: cluster.members.some(({ backend }) => backend.panics),
      subclusters: config.subclusters.map(({ name, weight }) => ({
        name,
        weight,
        backends: cluster.members
          .filter(({ backend }) => backend.subcluster === name)
          .map(({ backend, share }) =>
            backendFacts(cluster, backend, share, now)
          ),
      })),
      queue: {
        size: queue.size,
        timeout: queue.timeout,
        waiting: queue.fellows?.open ?? life.queue.length,
      },
      retries: {
        max,
        crossSubcluster,
        causes,
        methods,
        budget,
        bufferBytes,
        repeatable: repeated && max > 0 &&
          cluster.retries.mayRepeat(repeated.method) &&
          repeated.bodyLength <= bufferBytes,
      },
      pick,
    },
  };
}

function hashFacts(
  { config }: Cluster,
  context: PickContext,
): ClusterFacts["hash"] {
  const key = config.hash?.key ?? "clientAddress";
  return { key, value: hashKey(key)(context) };
}

function stickyFacts(
  cluster: Cluster,
  context: PickContext,
): StickyFacts | undefined {
  const { sticky } = cluster;
  const { request } = context;
  if (sticky === undefined || request === undefined) return undefined;
  return {
    cookie: sticky.name,
    given: request.cookie(sticky.name) !== undefined,
    backend: cluster.stickyFor(context)?.id,
  };
}

/** What the first attempt would get. */
function explainPick(cluster: Cluster, context: PickContext): ExplainedPick {
  const sticky = cluster.stickyFor(context);
  if (sticky !== undefined) {
    return picked(sticky, `the cookie ${cluster.sticky!.name} leads to it`);
  }
  const { balance } = cluster.config;
  const { subcluster, pick } = cluster.peek(context);
  if (pick === BLACKHOLE) {
    return refused("blackholed", "it is the blackhole's turn");
  }
  if (pick === undefined) {
    return refused(
      "no_backend",
      `the cluster "${cluster.name}" has no backend to try`,
    );
  }
  if (pick !== UNTOLD) return picked(pick, `${balance} would pick it next`);
  const why = balance === "random"
    ? "chance decides among the candidates, by weight and load"
    : `the policy "${balance}" does not tell before it picks`;
  const candidates = cluster.members.flatMap(({ backend }) =>
    backend.subcluster === subcluster && cluster.mayServe(backend, undefined)
      ? [backend]
      : []
  );
  const waits = !candidates.some(({ hasSlot }) => hasSlot);
  return {
    pick: { subcluster, backend: undefined, why, waits },
    outcome: { kind: "forward", backend: undefined },
  };
}

/** A dialer chooses once it is asked. */
function dialled(dialer: string): ExplainedPick {
  const why = `the dialer "${dialer}" chooses and connects`;
  return {
    pick: { subcluster: undefined, backend: undefined, why, waits: false },
    outcome: { kind: "forward", backend: undefined, dialer },
  };
}

interface ExplainedPick {
  readonly pick: PickFacts;
  readonly outcome: ExplainedOutcome;
}

function refused(
  code: "blackholed" | "no_backend",
  why: string,
): ExplainedPick {
  return {
    pick: { subcluster: undefined, backend: undefined, why, waits: false },
    outcome: { kind: "refuse", status: FAILURES[code].status, code, why },
  };
}

function picked(backend: Backend, why: string): ExplainedPick {
  const { id, subcluster, hasSlot } = backend;
  return {
    pick: { subcluster, backend: id, why, waits: !hasSlot },
    outcome: { kind: "forward", backend: id },
  };
}

function backendFacts(
  cluster: Cluster,
  backend: Backend,
  { backup, maxConnections }: BackendShare,
  now: number,
): BackendFacts {
  const states = backend.health.states(now);
  const candidate = cluster.mayServe(backend, undefined);
  return {
    id: backend.id,
    url: backend.url.href,
    backup,
    candidate,
    why: candidate ? undefined : whyNot(backend, states, now),
    state: states.state,
    check: states.check,
    passive: states.passive,
    breaker: states.breaker,
    configuredWeight: states.configuredWeight,
    weightNow: states.weightNow,
    load: states.load,
    maxConnections,
  };
}

/** Why a backend is none to pick. */
function whyNot(
  backend: Backend,
  { state, check, passive, breaker, weight }: BackendStates,
  now: number,
): string {
  if (state !== "ready") return `an operator set it to ${state}`;
  if (weight === 0) return "its weight is 0";
  if (!backend.health.eligible(now)) {
    if (check === "down") return "its checks fail";
    return passive === "closed" || passive === undefined
      ? `its breaker is ${breaker}`
      : `passive health has it ${passive}`;
  }
  return "others serve before a backup";
}
