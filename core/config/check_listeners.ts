/**
 * Relations of listeners: with their protocol, with each other, with clusters.
 *
 * @module
 */
import {
  addressesOverlap,
  isLoopback,
  parseListenAddress,
} from "../net/address.ts";
import type { ListenAddress } from "../net/address.ts";
import { parsedOr } from "./check_names.ts";
import { parseHostPattern } from "./host_pattern.ts";
import type { Finding, Path } from "./problem.ts";
import { formatPath } from "./problem.ts";
import { child, entries, has, root, textAt } from "./tree.ts";
import type { Entry } from "./tree.ts";
import { parseSize } from "./units.ts";
import { ValueError } from "./value_error.ts";

const DEFAULT_HEADER_BYTES = 16 * 1024;

/** Keys that a listener's protocol wants or has no use for. */
export function listenerFindings(tree: unknown): Finding[] {
  return entries(root(tree), "listeners").flatMap((listener) => [
    ...protocolFindings(listener),
    ...limitFindings(listener),
    ...proxyProtocolFindings(listener),
    ...sniFindings(listener),
    ...tlsFindings(listener),
  ]);
}

/** Addresses that would be bound twice, the admin address included. */
export function addressFindings(tree: unknown): Finding[] {
  const findings: Finding[] = [];
  const seen: Bound[] = [];
  for (const next of boundAddresses(root(tree))) {
    const taken = seen.find(({ address }) =>
      addressesOverlap(address, next.address)
    );
    if (taken !== undefined) {
      findings.push({
        path: next.path,
        message: `expected an address of its own, ${
          formatPath(taken.path)
        } binds it too`,
        ...(next.value !== undefined && { value: next.value }),
      });
    }
    seen.push(next);
  }
  return findings;
}

/** An admin interface that others can reach needs a token. */
export function adminFindings(tree: unknown): Finding[] {
  const admin = child(root(tree), "admin");
  const text = admin && textAt(admin, "address");
  const address = text && parsedOr(() => parseListenAddress(text.value));
  if (admin === undefined || address === undefined || isLoopback(address)) {
    return [];
  }
  // A token of a wrong type is the schema's to refuse.
  const { token } = admin.value;
  if (token !== undefined && token !== "") return [];
  return [{
    path: [...admin.path, "address"],
    message:
      "expected an address of this machine only (127.0.0.1, [::1], unix:), or admin.token beside it",
    value: text?.value,
  }];
}

function protocolFindings(listener: Entry): Finding[] {
  const { protocol = "http" } = listener.value;
  const findings: Finding[] = [];
  const refuse = (key: string, message: string) => {
    if (!has(listener, key)) return;
    findings.push({ path: [...listener.path, key], at: "key", message });
  };
  if (protocol === "tcp") {
    refuse("products", "expected only with protocol: http");
    if (has(listener, "tls")) {
      refuse(
        "sni",
        "expected either tls or sni: sni goes by TLS not ended here",
      );
    }
    if (!has(listener, "cluster") && !has(listener, "sni")) {
      findings.push({
        path: [...listener.path, "cluster"],
        message: "is required with protocol: tcp, or sni",
      });
    }
  } else if (protocol === "http") {
    refuse(
      "cluster",
      "expected only with protocol: tcp; with http the products' rules name clusters",
    );
    refuse("sni", "expected only with protocol: tcp");
  }
  return findings;
}

/** Only peers that are trusted may say who the client is. */
function proxyProtocolFindings(listener: Entry): Finding[] {
  const { proxyProtocol, trusted, address } = listener.value;
  if (proxyProtocol !== "accept" && proxyProtocol !== "require") return [];
  const refuse = (message: string): Finding[] => [{
    path: [...listener.path, "proxyProtocol"],
    message,
    value: proxyProtocol,
  }];
  if (typeof address === "string" && address.startsWith("unix:")) {
    return refuse(
      "expected none: the peers of a unix socket have no address that trusted could name",
    );
  }
  const nobody = trusted === undefined ||
    Array.isArray(trusted) && trusted.length === 0;
  return nobody
    ? refuse(
      "expected none, or trusted beside it: the networks whose PROXY header is believed",
    )
    : [];
}

/** Keys of `sni` that are no hosts, or the same host as another. */
function sniFindings(listener: Entry): Finding[] {
  const sni = child(listener, "sni");
  if (sni === undefined) return [];
  const keys = Object.keys(sni.value);
  if (keys.length === 0) {
    return [{ path: sni.path, message: "expected at least one host name" }];
  }
  const spellings = new Map<string, string>();
  return keys.flatMap((key): Finding[] => {
    const place = { path: [...sni.path, key], at: "key" } as const;
    try {
      const host = parseHostPattern(key);
      const other = spellings.get(host);
      spellings.set(host, key);
      if (other === undefined) return [];
      return [{ ...place, message: `expected this host once, ${other} is it` }];
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const { suggestion } = error;
      return [{
        ...place,
        message: "expected a host name or *.domain",
        suggestion,
      }];
    }
  });
}

/** Keys of `tls` that only HTTP has a use for, and protocols of which none is spoken yet. */
function tlsFindings(listener: Entry): Finding[] {
  const tls = child(listener, "tls");
  if (tls === undefined) return [];
  if (listener.value.protocol !== "tcp") {
    const { alpn } = tls.value;
    const none = Array.isArray(alpn) && alpn.length > 0 &&
      alpn.every((name) => name === "h2");
    return !none ? [] : [{
      path: [...tls.path, "alpn"],
      message: "expected http/1.1 too: h2 is not spoken yet",
    }];
  }
  return ["verifyHost", "alpn"].filter((key) => has(tls, key)).map((key) => ({
    path: [...tls.path, key],
    at: "key",
    message: "expected only with protocol: http",
  }));
}

function limitFindings(listener: Entry): Finding[] {
  const limits = child(listener, "limits");
  const target = limits && bytes(limits.value.targetBytes);
  if (limits === undefined || target === undefined) return [];
  const header = bytes(limits.value.headerBytes) ?? DEFAULT_HEADER_BYTES;
  return target <= header ? [] : [{
    path: [...limits.path, "targetBytes"],
    message: "expected at most headerBytes: the target is a part of the head",
    value: limits.value.targetBytes,
  }];
}

function bytes(value: unknown): number | undefined {
  return typeof value === "string" || typeof value === "number"
    ? parsedOr(() => parseSize(String(value)))
    : undefined;
}

interface Bound {
  readonly path: Path;
  readonly address: ListenAddress;
  readonly value: string | undefined;
}

function boundAddresses(top: Entry): Bound[] {
  const admin = child(top, "admin");
  const written = [...entries(top, "listeners"), ...(admin ? [admin] : [])]
    .flatMap((entry) => textAt(entry, "address") ?? [])
    .flatMap(({ path, value }): Bound[] => {
      const address = parsedOr(() => parseListenAddress(value));
      return address === undefined ? [] : [{ path, value, address }];
    });
  if (admin !== undefined && has(admin, "address")) return written;
  // The default address takes its port as well as a written one.
  const address = parseListenAddress("127.0.0.1:9090");
  return [
    { path: ["admin", "address"], value: undefined, address },
    ...written,
  ];
}
