/**
 * Explains which way a request would take: asked of the very objects that
 * traffic asks, without running a handler and without a trace in them.
 *
 * @module
 */
import { isIP } from "node:net";
import type { ListenerConfig } from "../config/config.ts";
import { asProxyError, BodyWanted, ProxyError } from "../errors.ts";
import type { Http1RequestHead } from "../http1/request_head.ts";
import { BufferedBody, checkBuffered } from "../message/buffered_body.ts";
import type { Clock } from "../net/clock.ts";
import { formatAddress } from "../net/address.ts";
import { canonicalHost } from "../net/host_name.ts";
import type { SocketAddress } from "../plugin.ts";
import type { Product, RuleTrace } from "../route/product.ts";
import { redirectUrl, RULE_BODY } from "../session/locate.ts";
import { hopsLeft } from "../session/max_forwards.ts";
import { checkLoop } from "../session/outgoing_request.ts";
import { findCluster, unknownName } from "../session/sni.ts";
import type { TransactionState } from "../session/states.ts";
import { handshakeOf } from "../session/websocket_handshake.ts";
import type { ListenerRuntime, Snapshot } from "../snapshot/snapshot.ts";
import { covers } from "../tls/certificate_set.ts";
import {
  type DescribedRequest,
  type DescribedUrl,
  DescriptionError,
  readBody,
  readClient,
  readHead,
  readUrl,
} from "./described_request.ts";
import { explainCluster } from "./explain_cluster.ts";
import { explainPoints, explainTcpPoints } from "./explain_points.ts";
import type {
  ClusterFacts,
  ExplainedOutcome,
  Explanation,
  ListenerChoice,
  ProductChoice,
  RuleAim,
  RuleResult,
} from "./explanation.ts";
import {
  type AddressesOf,
  findListener,
  type FoundListener,
} from "./find_listener.ts";
import { SyntheticRequest } from "./synthetic_request.ts";

/** What a request is explained by. */
export interface ExplainOptions {
  readonly snapshot: Snapshot;
  readonly clock: Clock;
  /** The proxy's name in Via. */
  readonly instance: string;
  readonly addressesOf: AddressesOf;
  /** Whether an operator has paused the listener's address of this port. */
  readonly isPaused: (config: ListenerConfig, port: number) => boolean;
}

/** Explains a request. Throws a `DescriptionError` where it describes none that could come here. */
export function explain(
  described: DescribedRequest,
  options: ExplainOptions,
): Explanation {
  const url = readUrl(described.url);
  const remote = readClient(described);
  const found = findListener(
    options.snapshot.listeners,
    url,
    described.listener,
    options.addressesOf,
  );
  return url.scheme === "tcp"
    ? explainTcp(found, remote, url, options)
    : new Way(described, url, remote, found, options).explain();
}

const NO_HANDLER_RUNS =
  "No handler was run: any of them may change the request, its cluster or backend, or answer by itself.";

/** A request on its way, as far as it has come. */
class Way {
  readonly #described: DescribedRequest;
  readonly #url: DescribedUrl;
  readonly #remote: string;
  readonly #found: FoundListener;
  readonly #options: ExplainOptions;
  #reached: TransactionState = "start";
  #parsed = false;
  #buffered = false;
  #request: SyntheticRequest | undefined;
  #product: ProductChoice | undefined;
  #rules: readonly RuleResult[] = [];
  #cluster: ClusterFacts | undefined;

  constructor(
    described: DescribedRequest,
    url: DescribedUrl,
    remote: string,
    found: FoundListener,
    options: ExplainOptions,
  ) {
    this.#described = described;
    this.#url = url;
    this.#remote = remote;
    this.#found = found;
    this.#options = options;
  }

  explain(): Explanation {
    const outcome = this.#outcome();
    const { listener } = this.#found;
    const points = explainPoints(listener, {
      state: this.#reached,
      parsed: this.#parsed,
      buffered: this.#buffered,
      product: this.#product?.name,
    });
    return {
      request: this.#request && requestFacts(this.#request),
      listener: listenerChoice(this.#found),
      product: this.#product,
      rules: this.#rules,
      cluster: this.#cluster,
      outcome,
      points,
      notes: this.#notes(points.some(({ handlers }) => handlers.length > 0)),
    };
  }

  /** As a transaction runs: `locate`, then `forward`. */
  #outcome(): ExplainedOutcome {
    try {
      const { listener } = this.#found;
      const head = readHead(this.#described, this.#url, listener.limits);
      const { hostname } = this.#url;
      this.#request = new SyntheticRequest({
        listener,
        remote: this.#remote,
        local: localOf(this.#found, this.#url),
        // Addresses are not asked for by SNI (RFC 6066 §3).
        serverName: isIP(hostname) === 0 ? hostname : undefined,
      }, head);
      this.#parsed = true;
      this.#checkHost(this.#request);
      const { config } = listener;
      if (this.#options.isPaused(config, this.#url.port)) {
        const why = "an operator has paused the listener's address";
        return { kind: "respond", status: 503, why };
      }
      this.#reached = "locate";
      return this.#locate(this.#request, head) ??
        this.#forward(this.#request, head);
    } catch (thrown) {
      if (!(thrown instanceof ProxyError)) throw thrown;
      return refusal(thrown);
    }
  }

  /** As a transaction does, by the certificate that the URL's name gets. */
  #checkHost({ request: { host } }: SyntheticRequest): void {
    const { tls } = this.#found.listener;
    const { scheme, hostname } = this.#url;
    if (tls?.verifyHost !== true || scheme !== "https") return;
    const { certificates } = tls;
    const pair = certificates.find(hostname) ?? certificates.default;
    if (covers(pair.certificate, host)) return;
    throw new ProxyError(
      "misdirected_request",
      `The TLS certificate does not cover the host ${JSON.stringify(host)}`,
    );
  }

  #locate(
    way: SyntheticRequest,
    head: Http1RequestHead,
  ): ExplainedOutcome | undefined {
    const { host } = way.request;
    const match = this.#found.listener.products.match(host);
    if (match === undefined) {
      throw new ProxyError(
        "no_product",
        `No product serves the host ${JSON.stringify(host)}`,
      );
    }
    const { product, by } = match;
    way.product = product;
    this.#product = { name: product.name, by, host: match.host };
    this.#reached = "product";
    const traces = this.#trace(product, way);
    this.#rules = traces.map(ruleResult);
    const last = traces.at(-1);
    if (last?.error !== undefined) throw asProxyError(last.error);
    if (last?.matched !== true) {
      throw new ProxyError(
        "no_rule",
        `No rule of the product "${product.name}" matches`,
      );
    }
    const aim = aimOf(last);
    if (aim.kind === "redirect") {
      const to = redirectUrl(way.request, aim);
      return { kind: "redirect", to, status: aim.status };
    }
    if (aim.kind === "respond") return { ...aim, why: "the rule says so" };
    way.cluster = aim.cluster;
    const { requestBuffer } = this.#options.snapshot.cluster(aim.cluster)!
      .config;
    if (requestBuffer !== undefined && head.bodyLength !== 0) {
      this.#reached = "routed";
      const bytes = readBody(this.#described);
      checkBuffered(bytes?.length ?? head.bodyLength, requestBuffer);
      this.#buffered = true;
    }
    this.#reached = "lookup";
    if (hopsLeft(way.request.method, way.request.headers) !== 0) {
      return undefined;
    }
    return { kind: "respond", status: 204, why: "Max-Forwards is 0" };
  }

  /** Asks the rules; where one asks for the body, all of them once more with it. */
  #trace(product: Product, way: SyntheticRequest): readonly RuleTrace[] {
    const traces = product.trace(way.request);
    if (!(traces.at(-1)?.error instanceof BodyWanted)) return traces;
    const bytes = readBody(this.#described);
    if (bytes === undefined) {
      throw new DescriptionError(
        `Cannot explain the request without its body: rule ${traces.length} of the product "${product.name}" asks for it`,
      );
    }
    checkBuffered(bytes.length, RULE_BODY);
    way.buffered = BufferedBody.of(bytes);
    return product.trace(way.request);
  }

  #forward(way: SyntheticRequest, head: Http1RequestHead): ExplainedOutcome {
    const { snapshot, clock, instance } = this.#options;
    const cluster = snapshot.cluster(way.cluster!)!;
    const handshake = handshakeOf(
      head,
      way.request,
      cluster.config.websocket,
    );
    const dialer = handshake && snapshot.dialer(cluster.name)?.name;
    const isKept = this.#buffered || way.buffered !== undefined;
    const repeated = {
      method: head.method,
      bodyLength: isKept ? 0 : head.bodyLength,
    };
    const { facts, outcome } = explainCluster(
      cluster,
      way,
      repeated,
      clock.wall(),
      dialer,
    );
    this.#cluster = facts;
    // No attempt is made: its points don't fire.
    if (dialer !== undefined) return outcome;
    if (outcome.kind !== "forward") return outcome;
    this.#reached = "connect";
    checkLoop(instance, way.request.headers);
    this.#reached = "wait";
    return outcome;
  }

  #notes(handled: boolean): string[] {
    const { listener } = this.#found;
    const { scheme, hostname } = this.#url;
    const tls = listener.config.tls !== undefined;
    const isUnknown = listener.config.tls?.strictSni === true &&
      listener.tls?.certificates.find(hostname) === undefined;
    return [
      ...handled ? [NO_HANDLER_RUNS] : [],
      ...scheme === "https" && !tls
        ? [
          "The listener ends no TLS: to it the request is http, unless a trusted proxy's X-Forwarded-Proto says otherwise.",
        ]
        : [],
      ...scheme === "http" && tls
        ? [
          "The listener ends TLS: a client of this URL would not get through its handshake.",
        ]
        : [],
      ...scheme === "https" && isUnknown
        ? [
          "No certificate covers the URL's name, and strictSni is on: a client would not get through its handshake.",
        ]
        : [],
    ];
  }
}

function explainTcp(
  found: FoundListener,
  remote: string,
  { hostname }: DescribedUrl,
  { snapshot, clock }: ExplainOptions,
): Explanation {
  const { listener } = found;
  // Addresses are not asked for by SNI (RFC 6066 §3).
  const serverName = listener.sni !== undefined && isIP(hostname) === 0
    ? canonicalHost(hostname)
    : undefined;
  const name = findCluster(serverName, listener);
  const explained = name === undefined ? undefined : explainCluster(
    snapshot.cluster(name)!,
    { clientAddress: remote, request: undefined },
    undefined,
    clock.wall(),
  );
  const outcome = explained?.outcome ?? refusal(unknownName(serverName));
  const points = explainTcpPoints(listener);
  return {
    request: undefined,
    listener: listenerChoice(found),
    product: undefined,
    rules: [],
    cluster: explained?.facts,
    // There is nobody to tell a status.
    outcome: outcome.kind === "refuse" ? { ...outcome, status: 0 } : outcome,
    points,
    notes: [
      ...sniNotes(listener, serverName),
      ...points.some(({ handlers }) => handlers.length > 0)
        ? [NO_HANDLER_RUNS]
        : [],
    ],
  };
}

/** What `sni` of a listener has to do with it; nothing where it has none. */
function sniNotes(
  { sni }: ListenerRuntime,
  serverName: string | undefined,
): string[] {
  if (sni === undefined) return [];
  if (serverName === undefined) {
    return ["TLS asks for no name at an address: sni does not count."];
  }
  const cluster = sni.find(serverName);
  return [
    cluster === undefined
      ? `sni has nothing for the name ${serverName}.`
      : `sni leads TLS for the name ${serverName} to the cluster ${cluster}.`,
  ];
}

function refusal({ status, code, message }: ProxyError): ExplainedOutcome {
  return { kind: "refuse", status, code, why: message };
}

function requestFacts(
  { request, clientAddress, trusted, scheme }: SyntheticRequest,
) {
  const { method, host, target } = request;
  return { method, scheme, host, target, clientAddress, trusted };
}

function listenerChoice(
  { listener, addresses, why }: FoundListener,
): ListenerChoice {
  const { name, protocol, tls } = listener;
  return {
    name,
    protocol,
    addresses: addresses.map(formatAddress),
    tls: tls && { runtime: tls.runtime, reason: tls.reason },
    why,
  };
}

/** Our side of the connection, as far as it can be told: rules may ask for it. */
function localOf(
  { addresses: [first] }: FoundListener,
  { hostname, port }: DescribedUrl,
): SocketAddress {
  if (first?.kind === "unix") return { address: first.path, port: 0 };
  const any = first === undefined || /^(0\.0\.0\.0|::)$/.test(first.hostname);
  const address = any ? hostname : first.hostname;
  return { address: address === "localhost" ? "127.0.0.1" : address, port };
}

function ruleResult(trace: RuleTrace): RuleResult {
  const { rule, place, matched, excluded, condition, error } = trace;
  return {
    number: place + 1,
    when: rule.config.when,
    matched,
    excluded,
    condition,
    error: error === undefined ? undefined : asProxyError(error).message,
    leadsTo: aimOf(trace),
  };
}

function aimOf({ rule: { config } }: RuleTrace): RuleAim {
  const { redirect, respond, cluster } = config;
  if (redirect !== undefined) return { kind: "redirect", ...redirect };
  if (respond !== undefined) {
    return { kind: "respond", status: respond.status };
  }
  return { kind: "cluster", cluster };
}
