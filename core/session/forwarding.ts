/**
 * What backends are told of the hop to here: X-Forwarded-*, Forwarded (RFC 7239)
 * and Via (RFC 9110 §7.6.3).
 *
 * @module
 */
import { isIP } from "node:net";
import type { Initiator } from "../listener/initiator.ts";
import { formatForwarded, formatNode } from "../message/forwarded_field.ts";
import { PreparedFields } from "../message/fields.ts";
import { clientCertificateFields } from "../tls/client_certificate.ts";

/** What of a hop the forwarding fields say. */
export interface ForwardedFacts {
  /** The request's Host. */
  readonly host: string | undefined;
  /** The protocol's version, for Via. */
  readonly version: "1.0" | "1.1" | "2";
  /** Entries of X-Forwarded-For before the peer's, where no field has them yet. */
  readonly chain: string | undefined;
  /** For X-Forwarded-Host; undefined leaves it to a trusted peer's own. */
  readonly forwardedHost: string | undefined;
  /** For X-Forwarded-Proto; undefined leaves it to a trusted peer's own. */
  readonly forwardedScheme: "http" | "https" | undefined;
  /** Whether Forwarded tells the whole way and goes on. */
  readonly tellsForwarded: boolean;
  /** Whether what the client showed in its TLS handshake is told. */
  readonly tellsCertificate: boolean;
}

/** The fields of one session's hop, made anew only where the client says something else. */
export class ForwardingFields {
  readonly #initiator: Initiator;
  readonly #instance: string;
  #facts: ForwardedFacts | undefined;
  #fields: PreparedFields | undefined;

  /** `instance` is this proxy's name in Via. */
  constructor(initiator: Initiator, instance: string) {
    this.#initiator = initiator;
    this.#instance = instance;
  }

  /** The fields that say these facts. */
  of(facts: ForwardedFacts): PreparedFields {
    const known = this.#facts;
    if (known !== undefined && areSame(known, facts)) return this.#fields!;
    this.#facts = facts;
    return this.#fields = new PreparedFields(this.#entries(facts));
  }

  #entries(facts: ForwardedFacts): [string, string][] {
    const { remote, tls, proxy } = this.#initiator;
    const { chain, forwardedHost, forwardedScheme } = facts;
    // A unix socket's client has no address.
    const address = isIP(remote.address) === 0 ? "" : remote.address;
    const entries: [string, string][] = [];
    const add = (name: string, value: string | undefined) => {
      if (value !== undefined && value !== "") entries.push([name, value]);
    };
    add("x-forwarded-for", [chain ?? "", address].filter(Boolean).join(", "));
    add("x-forwarded-proto", forwardedScheme);
    add("x-forwarded-host", forwardedHost);
    if (facts.tellsForwarded) {
      const element = new Map([["for", formatNode(address)]]);
      // What came to this hop, whatever a peer says of the one before.
      if (facts.host !== undefined) element.set("host", facts.host);
      element.set(
        "proto",
        (tls ?? proxy?.tls) === undefined ? "http" : "https",
      );
      add("forwarded", formatForwarded(element));
    }
    if (facts.tellsCertificate && tls !== undefined) {
      entries.push(...clientCertificateFields(tls));
    }
    add("via", `${facts.version} ${this.#instance}`);
    return entries;
  }
}

function areSame(a: ForwardedFacts, b: ForwardedFacts): boolean {
  return a.host === b.host && a.version === b.version && a.chain === b.chain &&
    a.forwardedHost === b.forwardedHost &&
    a.forwardedScheme === b.forwardedScheme &&
    a.tellsForwarded === b.tellsForwarded &&
    a.tellsCertificate === b.tellsCertificate;
}
