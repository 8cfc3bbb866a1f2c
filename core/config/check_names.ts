/**
 * Names: each stands once, and each that is used is there.
 *
 * @module
 */
import { defaultBackendId, parseBackendUrl } from "./backend_url.ts";
import { parseHostPattern } from "./host_pattern.ts";
import type { Finding } from "./problem.ts";
import { formatPath } from "./problem.ts";
import { nearest } from "../text/suggest.ts";
import { child, entries, root, textAt, texts, textsOf } from "./tree.ts";
import type { Entry, TextEntry } from "./tree.ts";

/** The policies that need no plugin. */
const BUILTIN_POLICIES: ReadonlySet<string> = new Set([
  "roundrobin",
  "leastconn",
  "random",
  "first",
  "hash",
]);

/** Names that stand twice. */
export function duplicateFindings(tree: unknown): Finding[] {
  const top = root(tree);
  const clusters = entries(top, "clusters");
  const subclusters = clusters.flatMap((cluster) =>
    duplicates(
      textsOf(entries(cluster, "subclusters"), "name"),
      "this subcluster's name",
    )
  );
  return [
    ...duplicates(textsOf(entries(top, "listeners"), "name"), "this name"),
    ...duplicates(textsOf(entries(top, "products"), "name"), "this name"),
    ...duplicates(textsOf(clusters, "name"), "this name"),
    ...duplicates(textsOf(entries(top, "plugins"), "name"), "this name"),
    ...duplicates(productHosts(top), "this host"),
    ...duplicates(
      clusters.flatMap(backendsOf).flatMap((one) => backendId(one) ?? []),
      "this backend's id",
    ),
    ...subclusters,
  ];
}

/** Names that point nowhere. */
export function danglingFindings(tree: unknown): Finding[] {
  const top = root(tree);
  const listeners = entries(top, "listeners");
  const products = entries(top, "products");
  const plugins = entries(top, "plugins");
  const admin = child(top, "admin");
  const clusterNames = names(top, "clusters");
  const productNames = names(top, "products");
  const rules = products.flatMap((product) => entries(product, "rules"));
  const sni = listeners.flatMap((listener) => {
    const byName = child(listener, "sni");
    if (byName === undefined) return [];
    return Object.keys(byName.value).flatMap((key) =>
      textAt(byName, key) ?? []
    );
  });
  const toClusters = [
    ...textsOf(listeners, "cluster"),
    ...sni,
    ...textsOf(rules, "cluster"),
    ...(admin === undefined ? [] : textsOf([admin], "backendCluster")),
  ];
  const toProducts = [...listeners, ...plugins]
    .flatMap((entry) => texts(entry, "products"));
  const policies = plugins.length > 0
    // Which ones plugins bring is known once they are loaded.
    ? []
    : textsOf(entries(top, "clusters"), "balance");
  const toListeners = plugins.flatMap((entry) => texts(entry, "listeners"));
  return [
    ...dangling(toClusters, "cluster", clusterNames),
    ...dangling(policies, "policy", BUILTIN_POLICIES),
    ...dangling(toProducts, "product", productNames),
    ...dangling(toListeners, "listener", names(top, "listeners")),
  ];
}

/** The backends of a cluster, in either form. */
export function backendsOf(cluster: Entry): Entry[] {
  return [
    ...entries(cluster, "backends"),
    ...entries(cluster, "subclusters")
      .flatMap((subcluster) => entries(subcluster, "backends")),
  ];
}

/** The value of a parser that may refuse; the schema reports the refusal. */
export function parsedOr<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    // The schema's own run of this parser has told what is wrong.
    return undefined;
  }
}

function productHosts(top: Entry): TextEntry[] {
  return entries(top, "products")
    .flatMap((product) => texts(product, "hosts"))
    .map(({ path, value }) => ({
      path,
      value: parsedOr(() => parseHostPattern(value)) ?? value,
    }));
}

/** A backend's id, the file's or its address. */
export function backendId(backend: Entry): TextEntry | undefined {
  const given = textAt(backend, "id");
  if (given !== undefined) return given;
  const url = textAt(backend, "url");
  const parsed = url && parsedOr(() => parseBackendUrl(url.value));
  return parsed && { path: backend.path, value: defaultBackendId(parsed) };
}

function names(top: Entry, key: string): ReadonlySet<string> {
  const found = textsOf(entries(top, key), "name").map(({ value }) => value);
  // A product that is made for a file without any is called so.
  if (key === "products" && found.length === 0) found.push("default");
  return new Set(found);
}

function duplicates(all: readonly TextEntry[], what: string): Finding[] {
  const first = new Map<string, TextEntry>();
  const findings: Finding[] = [];
  for (const entry of all) {
    const before = first.get(entry.value);
    if (before === undefined) {
      first.set(entry.value, entry);
      continue;
    }
    findings.push({
      ...entry,
      message: `expected ${what} once, ${formatPath(before.path)} has it too`,
    });
  }
  return findings;
}

function dangling(
  uses: readonly TextEntry[],
  kind: string,
  known: ReadonlySet<string>,
): Finding[] {
  return uses.filter(({ value }) => !known.has(value)).map((use) => ({
    ...use,
    message: `expected the name of a ${kind}`,
    suggestion: nearest(use.value, known),
  }));
}

/** A cluster's `hash` that nothing asks for. */
export function idleHashFindings(tree: unknown): Finding[] {
  return entries(root(tree), "clusters").flatMap((cluster) => {
    const hash = child(cluster, "hash");
    const balance = textAt(cluster, "balance")?.value ?? "roundrobin";
    if (hash === undefined || balance === "hash") return [];
    return [{
      path: hash.path,
      at: "key" as const,
      message: `expected with balance: hash only, it is ${balance}`,
    }];
  });
}
