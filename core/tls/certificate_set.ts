/**
 * The certificates of a listener, chosen by the name that a client asks for.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { canonicalHost } from "../net/host_name.ts";
import type { Certificate } from "./certificate.ts";
import type { CertificatePair } from "./certificate_pair.ts";

/** Which certificate a name gets. */
export class CertificateSet {
  /** The first: for clients that name nobody, or nobody known. */
  readonly default: CertificatePair;
  readonly pairs: readonly CertificatePair[];
  readonly #exact = new Map<string, CertificatePair>();
  /** By what follows `*.`. */
  readonly #wildcards = new Map<string, CertificatePair>();

  /** At least one; of two for the same name the first is taken. */
  constructor(pairs: readonly CertificatePair[]) {
    this.pairs = pairs;
    this.default = pairs[0]!;
    for (const pair of pairs) {
      for (const name of pair.certificate.dnsNames) {
        const wild = name.startsWith("*.");
        const names = wild ? this.#wildcards : this.#exact;
        const key = wild ? name.slice(2) : name;
        if (!names.has(key)) names.set(key, pair);
      }
    }
  }

  /** The certificate that covers a name: the exact one, else the wildcard's of its parent; undefined for none. */
  find(name: string): CertificatePair | undefined {
    const host = canonicalHost(name);
    return this.#exact.get(host) ?? this.#wildcards.get(parentOf(host));
  }

  /** What tells two sets apart, by all that clients get: the same certificates and chains give the same text. */
  get fingerprint(): string {
    const hash = createHash("sha256");
    for (const { cert } of this.pairs) hash.update(`${cert.length} ${cert}`);
    return hash.digest("hex");
  }
}

/** Whether a certificate covers a host in its one spelling (RFC 9525 §6.3): a wildcard stands for one label, and for no address. */
export function covers(
  { dnsNames, alternativeNames }: Certificate,
  host: string,
): boolean {
  return dnsNames.includes(host) || dnsNames.includes(`*.${parentOf(host)}`) ||
    alternativeNames.includes(`IP:${host}`);
}

/** A name without its first label; empty where it has one only. */
function parentOf(host: string): string {
  const dot = host.indexOf(".");
  return dot < 0 ? "" : host.slice(dot + 1);
}
