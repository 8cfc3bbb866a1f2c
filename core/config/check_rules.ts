/**
 * Relations of products, their rules and clusters.
 *
 * @module
 */
import { parseBackendUrl } from "./backend_url.ts";
import { backendsOf, parsedOr } from "./check_names.ts";
import type { Finding } from "./problem.ts";
import { formatPath } from "./problem.ts";
import { child, entries, has, root, textAt } from "./tree.ts";
import type { Entry } from "./tree.ts";

/** What a rule does: exactly one of these. */
const ACTIONS = ["cluster", "redirect", "respond"];

/** Statuses whose responses have no body (RFC 9110 §15.3.5, §15.4.5; 205: §15.3.6). */
const BODILESS: readonly unknown[] = [204, 205, 304];

/** Products and rules that can't work or are never reached. */
export function productFindings(tree: unknown): Finding[] {
  const top = root(tree);
  const products = entries(top, "products");
  return [
    ...missingProducts(top),
    ...defaultFindings(products),
    ...products.flatMap((product) => [
      ...reachFindings(product),
      ...entries(product, "rules").flatMap(ruleFindings),
    ]),
  ];
}

/** Clusters without a word on their backends, or whose backends don't fit their use. */
export function clusterFindings(tree: unknown): Finding[] {
  const top = root(tree);
  const http = httpClusters(top);
  const bytes = clustersOfBytes(top);
  return entries(top, "clusters").flatMap((cluster) => [
    ...formFindings(cluster),
    ...tlsFindings(
      cluster,
      (name) =>
        bytes.withTls.has(name) && !bytes.plain.has(name) && !http.has(name),
    ),
    ...(http.has(textAt(cluster, "name")?.value ?? "")
      ? tcpBackends(cluster)
      : []),
  ]);
}

/** Whether a listener speaks http: only then are products needed. */
function hasHttpListener(top: Entry): boolean {
  return entries(top, "listeners")
    .some(({ value: { protocol = "http" } }) => protocol === "http");
}

function missingProducts(top: Entry): Finding[] {
  if (has(top, "products") || !hasHttpListener(top)) return [];
  const clusters = entries(top, "clusters");
  if (clusters.length === 1) return [];
  return [{
    path: ["products"],
    message: clusters.length === 0
      ? "is required with an http listener: write clusters: with one cluster, or products: with rules"
      : "is required with several clusters: write products: with name, default: true and rules: that name clusters",
  }];
}

function defaultFindings(products: readonly Entry[]): Finding[] {
  const [first, ...others] = products.filter(({ value }) =>
    isTrue(value.default)
  );
  return others.map(({ path }) => ({
    path: [...path, "default"],
    message: `expected one default product, ${
      formatPath(first?.path ?? [])
    } is one too`,
  }));
}

function reachFindings(product: Entry): Finding[] {
  const findings: Finding[] = [];
  const { hosts, default: isDefault } = product.value;
  const hostless = hosts === undefined ||
    (Array.isArray(hosts) && hosts.length === 0);
  if (hostless && (isDefault === undefined || isFalse(isDefault))) {
    findings.push({
      path: product.path,
      message:
        "expected hosts or default: true: no request reaches this product",
    });
  }
  const rules = entries(product, "rules");
  const last = rules.findIndex((rule) => !has(rule, "when"));
  const unreachable = last < 0 ? undefined : rules[last + 1];
  if (unreachable !== undefined) {
    findings.push({
      path: unreachable.path,
      message: `no request reaches this rule: ${
        formatPath(rules[last]?.path ?? [])
      } has no when and takes all`,
    });
  }
  return findings;
}

function ruleFindings(rule: Entry): Finding[] {
  const actions = ACTIONS.filter((key) => has(rule, key));
  const findings: Finding[] = [];
  if (actions.length !== 1) {
    findings.push({
      path: rule.path,
      message: actions.length === 0
        ? "expected cluster, redirect or respond"
        : `expected one of cluster, redirect and respond, not ${
          actions.join(" and ")
        }`,
    });
  }
  if (has(rule, "timeouts") && !actions.includes("cluster")) {
    findings.push({
      path: [...rule.path, "timeouts"],
      at: "key",
      message: "expected only beside cluster",
    });
  }
  const redirect = child(rule, "redirect");
  if (redirect !== undefined) findings.push(...redirectFindings(redirect));
  const respond = child(rule, "respond");
  const { status, body } = respond?.value ?? {};
  if (BODILESS.includes(Number(status)) && body !== undefined && body !== "") {
    findings.push({
      path: [...rule.path, "respond", "body"],
      at: "key",
      message: "expected no body: a response of this status has none",
    });
  }
  return findings;
}

function redirectFindings(redirect: Entry): Finding[] {
  const [to, scheme] = [has(redirect, "to"), has(redirect, "scheme")];
  if (to === scheme) {
    return [{
      path: redirect.path,
      message: to ? "expected either to or scheme" : "expected to or scheme",
    }];
  }
  return scheme || !has(redirect, "port") ? [] : [{
    path: [...redirect.path, "port"],
    at: "key",
    message: "expected only beside scheme",
  }];
}

function formFindings(cluster: Entry): Finding[] {
  const [short, long] = [has(cluster, "backends"), has(cluster, "subclusters")];
  if (short && long) {
    return [{
      path: [...cluster.path, "backends"],
      at: "key",
      message: "expected either backends or subclusters",
    }];
  }
  return short || long || has(cluster, "dialer") ? [] : [{
    path: [...cluster.path, "backends"],
    message: "is required, or subclusters with backends",
  }];
}

/** `tls` that nothing is dialled with. */
function tlsFindings(
  cluster: Entry,
  getsOnlyTls: (name: string) => boolean,
): Finding[] {
  if (!has(cluster, "tls")) return [];
  const refuse = (message: string): Finding[] => [
    { path: [...cluster.path, "tls"], at: "key", message },
  ];
  if (getsOnlyTls(textAt(cluster, "name")?.value ?? "")) {
    return refuse(
      "expected nothing: this cluster gets the TLS of sni listeners' clients",
    );
  }
  const schemes = backendsOf(cluster).map((backend) => {
    const url = textAt(backend, "url");
    return url && parsedOr(() => parseBackendUrl(url.value))?.scheme;
  });
  // Backends may come later where there are none, and broken ones are told.
  const plain = schemes.length > 0 &&
    schemes.every((scheme) => scheme === "http");
  return plain
    ? refuse("expected backends with https:// or tcp:// beside it")
    : [];
}

function tcpBackends(cluster: Entry): Finding[] {
  return backendsOf(cluster)
    .flatMap((backend) => textAt(backend, "url") ?? [])
    .filter(({ value }) =>
      parsedOr(() => parseBackendUrl(value))?.scheme === "tcp"
    )
    .map((url) => ({
      ...url,
      message:
        "expected http://host:port: this cluster gets requests of http listeners",
    }));
}

/** Names of the clusters that serve requests, not bytes. */
function httpClusters(top: Entry): ReadonlySet<string> {
  const rules = entries(top, "products")
    .flatMap((product) => entries(product, "rules"));
  const named = rules.flatMap((rule) => textAt(rule, "cluster")?.value ?? []);
  if (!has(top, "products") && hasHttpListener(top)) {
    const clusters = entries(top, "clusters");
    const only = clusters.length === 1 ? clusters[0] : undefined;
    const name = only && textAt(only, "name")?.value;
    if (name !== undefined) named.push(name);
  }
  return new Set(named);
}

/** Names of the clusters that tcp listeners send bytes to: the client's own TLS, or whatever comes. */
function clustersOfBytes(
  top: Entry,
): {
  readonly withTls: ReadonlySet<string>;
  readonly plain: ReadonlySet<string>;
} {
  const withTls = new Set<string>();
  const plain = new Set<string>();
  for (const listener of entries(top, "listeners")) {
    const cluster = textAt(listener, "cluster")?.value;
    const sni = child(listener, "sni");
    if (cluster !== undefined) (sni ? withTls : plain).add(cluster);
    for (const target of Object.values(sni?.value ?? {})) {
      if (typeof target === "string") withTls.add(target);
    }
  }
  return { withTls, plain };
}

function isTrue(value: unknown): boolean {
  return value === true || value === "true";
}

function isFalse(value: unknown): boolean {
  return value === false || value === "false";
}
