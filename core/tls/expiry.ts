/**
 * When the certificates of a config expire.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { readCertificates } from "./certificate_pair.ts";

/** A certificate's end. */
export interface Expiry {
  /** Its first DNS name, else its subject. */
  readonly name: string;
  readonly fingerprint: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** Files in use are many times asked and seldom replaced. */
const KNOWN = new WeakMap<object, readonly Expiry[]>();

/** The ends of the certificates that listeners serve; `files` are their texts by path. */
export function expiriesOf(
  config: Pick<Config, "listeners">,
  files: Readonly<Record<string, string>>,
): readonly Expiry[] {
  let known = KNOWN.get(files);
  if (known === undefined) {
    const paths = new Set(
      config.listeners.flatMap(({ tls }) =>
        tls?.certificates.map(({ cert }) => cert) ?? []
      ),
    );
    known = [...paths].map((path) => {
      const [leaf] = readCertificates(files[path] ?? "");
      const name = leaf!.dnsNames[0] ?? leaf!.subject;
      const { fingerprint, notAfter } = leaf!;
      return { name, fingerprint, notAfter };
    });
    KNOWN.set(files, known);
  }
  return known;
}
