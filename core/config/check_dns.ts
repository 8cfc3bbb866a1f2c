/**
 * Ids that `dns: all` would give to a second backend.
 *
 * @module
 */
import { isLiteral } from "../net/resolver.ts";
import { fixedAddress, parseBackendUrl } from "./backend_url.ts";
import { backendId, backendsOf, parsedOr } from "./check_names.ts";
import type { Finding } from "./problem.ts";
import { formatPath } from "./problem.ts";
import { entries, root, textAt } from "./tree.ts";
import type { Entry } from "./tree.ts";

/** Ids that are another one's with an address behind it, as its addresses' backends are called. */
export function addressIdFindings(tree: unknown): Finding[] {
  const clusters = entries(root(tree), "clusters");
  const expanded = new Map(
    clusters.filter((cluster) => textAt(cluster, "dns")?.value === "all")
      .flatMap(backendsOf).filter(isNamed)
      .flatMap((backend) => backendId(backend) ?? [])
      .map((id) => [id.value, id]),
  );
  return clusters.flatMap(backendsOf).flatMap((backend): Finding[] => {
    const id = backendId(backend);
    const [, before, address = ""] = /^(.*)@\[?([^@\]]*)\]?$/
      .exec(id?.value ?? "") ?? [];
    const other = before === undefined ? undefined : expanded.get(before);
    if (id === undefined || other === undefined || !isLiteral(address)) {
      return [];
    }
    return [{
      ...id,
      message: `expected an id that no address of ${
        formatPath(other.path)
      } can get by dns: all`,
    }];
  });
}

/** Whether it is at a host name. */
function isNamed(backend: Entry): boolean {
  const text = textAt(backend, "url");
  const url = text && parsedOr(() => parseBackendUrl(text.value));
  return url !== undefined && fixedAddress(url) === undefined;
}
