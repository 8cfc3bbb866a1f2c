/**
 * What an explanation tells: plain data, so that it crosses from a worker and is
 * JSON as it stands.
 *
 * @module
 */
import type { PointName } from "../callback_points.ts";
import type { ConditionTrace } from "../conditions/trace.ts";
import type { RedirectConfig } from "../config/config.ts";
import type { FailureCode } from "../errors.ts";
import type { AdminState } from "../health/backend_row.ts";
import type { GateState } from "../health/failure_gate.ts";
import type { PassiveState } from "../health/backend_gates.ts";
import type { TlsRuntime } from "../tls/tls_runtime.ts";

/** The way that a request would take, and why. */
export interface Explanation {
  /** The request as Headrace reads it; undefined where its head is refused, and for `tcp:`. */
  readonly request: RequestFacts | undefined;
  readonly listener: ListenerChoice;
  /** Undefined where none serves the host. */
  readonly product: ProductChoice | undefined;
  /** Each rule that was tried; the last one is the one that matched, where one did. */
  readonly rules: readonly RuleResult[];
  /** Undefined where the request comes to none. */
  readonly cluster: ClusterFacts | undefined;
  readonly outcome: ExplainedOutcome;
  /** The callback points on the way, in order. */
  readonly points: readonly PointHandlers[];
  /** What the reader has to know besides, in sentences. */
  readonly notes: readonly string[];
}

/** A request as Headrace reads it. */
export interface RequestFacts {
  readonly method: string;
  readonly scheme: "http" | "https";
  /** In its one spelling, without the port. */
  readonly host: string;
  readonly target: string;
  /** Through trusted proxies. */
  readonly clientAddress: string;
  /** Whether the peer's X-Forwarded-* are believed. */
  readonly trusted: boolean;
}

/** The listener. */
export interface ListenerChoice {
  readonly name: string;
  readonly protocol: "http" | "tcp";
  /** Where it listens; of a live proxy with the ports that it got. */
  readonly addresses: readonly string[];
  /** Which of Deno's implementations ends TLS there, and why; undefined where none does. */
  readonly tls: TlsRuntime | undefined;
  readonly why: string;
}

/** The product. */
export interface ProductChoice {
  readonly name: string;
  readonly by: "exact" | "wildcard" | "default";
  /** The host of the config that covers the request's; undefined for the default. */
  readonly host: string | undefined;
}

/** What became of one rule. */
export interface RuleResult {
  /** Its place in the product, from 1. */
  readonly number: number;
  /** Its condition as the config has it; undefined for every request. */
  readonly when: string | undefined;
  readonly matched: boolean;
  /** Whether the index ruled it out: traffic does not ask its condition at all. */
  readonly excluded: boolean;
  /** What the parts of the condition answer. */
  readonly condition: ConditionTrace | undefined;
  /** What a plugin's primitive threw. */
  readonly error: string | undefined;
  readonly leadsTo: RuleAim;
}

/** Where a rule leads. */
export type RuleAim =
  | { readonly kind: "cluster"; readonly cluster: string }
  | { readonly kind: "redirect" } & RedirectConfig
  | { readonly kind: "respond"; readonly status: number };

/** What the client gets. */
export type ExplainedOutcome =
  /** A backend is asked; undefined where only the pick itself tells which one. */
  | {
    readonly kind: "forward";
    readonly backend: string | undefined;
    /** The plugin's dialer that chooses and connects, where it is one. */
    readonly dialer?: string;
  }
  | { readonly kind: "redirect"; readonly to: string; readonly status: number }
  | { readonly kind: "respond"; readonly status: number; readonly why: string }
  /** Headrace's own answer; status 0: the connection closes. */
  | {
    readonly kind: "refuse";
    readonly status: number;
    readonly code: FailureCode;
    readonly why: string;
  };

/** A cluster as the request finds it. */
export interface ClusterFacts {
  readonly name: string;
  readonly balance: string;
  /** What is hashed, and this request's; undefined for other policies. */
  readonly hash:
    | { readonly key: string; readonly value: string | undefined }
    | undefined;
  /** The sticky cookie, and where this request's leads; undefined without one in the config, and for `tcp:`. */
  readonly sticky: StickyFacts | undefined;
  /** Weight of requests that are answered 503 on purpose. */
  readonly blackhole: number;
  /** So few backends are well that all are used. */
  readonly panics: boolean;
  readonly subclusters: readonly SubclusterFacts[];
  readonly queue: QueueFacts;
  readonly retries: RetryFacts;
  readonly pick: PickFacts;
}

/** A sticky cookie and this request. */
export interface StickyFacts {
  readonly cookie: string;
  readonly given: boolean;
  /** The backend's id, where the cookie leads to one that can serve. */
  readonly backend: string | undefined;
}

/** A subcluster. */
export interface SubclusterFacts {
  readonly name: string;
  readonly weight: number;
  readonly backends: readonly BackendFacts[];
}

/** A backend as the request finds it. */
export interface BackendFacts {
  readonly id: string;
  readonly url: string;
  readonly backup: boolean;
  /** Whether it may be picked now. */
  readonly candidate: boolean;
  /** Why it may not be picked; undefined where it may. */
  readonly why: string | undefined;
  /** What an operator wants. */
  readonly state: AdminState;
  /** What active checks say; `up` without any. */
  readonly check: "up" | "down";
  readonly passive: PassiveState | undefined;
  readonly breaker: GateState | undefined;
  readonly configuredWeight: number;
  /** An operator's weight or the config's, less in a slow start. */
  readonly weightNow: number;
  /** Requests and sessions that it serves, over all workers. */
  readonly load: number;
  /** Undefined = any number. */
  readonly maxConnections: number | undefined;
}

/** Where requests wait for slots. */
export interface QueueFacts {
  readonly size: number;
  /** Milliseconds. */
  readonly timeout: number;
  readonly waiting: number;
}

/** What follows a failed attempt. */
export interface RetryFacts {
  readonly max: number;
  readonly crossSubcluster: number;
  readonly causes: readonly string[];
  readonly methods: readonly string[];
  readonly budget: number;
  readonly bufferBytes: number;
  /** Whether this request may be sent again once a backend has heard of it; undefined for `tcp:`. */
  readonly repeatable: boolean | undefined;
}

/** The pick. */
export interface PickFacts {
  /** Undefined where the request comes to none. */
  readonly subcluster: string | undefined;
  /** Undefined where there is none, or only the pick itself tells. */
  readonly backend: string | undefined;
  readonly why: string;
  /** Whether the request waits in the queue first, as no slot is free. */
  readonly waits: boolean;
}

/** The handlers of one point. */
export interface PointHandlers {
  readonly point: PointName;
  readonly handlers: readonly HandlerFacts[];
}

/** A handler in its place. */
export interface HandlerFacts {
  readonly plugin: string;
  readonly scope: "global" | "product";
  /** The plugin's `order`. */
  readonly order: number;
}
