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
import { MAX_HOST_FIELD } from "../net/host_name.ts";
import {
  CLIENT_CERTIFICATE_FIELDS,
  clientCertificateFields,
} from "../tls/client_certificate.ts";

/** What tells backends who the client is, and no cache: it stands in no request before it leaves. */
export const CLIENT_TOLD: ReadonlySet<string> = new Set([
  "forwarded",
  "x-forwarded-for",
  ...CLIENT_CERTIFICATE_FIELDS,
]);

/** What of a hop the forwarding fields say. */
export interface ForwardedFacts {
  /** The Host that the client asked for (RFC 7239 §5.3), whatever the backend gets. */
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

/** What was said last, and of what. */
interface Said {
  readonly facts: ForwardedFacts;
  /** Whether it came to this hop by TLS. */
  readonly secure: boolean;
  readonly fields: PreparedFields;
}

/** The fields of one session's hop, made anew only where the client says something else. */
export class ForwardingFields {
  readonly #initiator: Initiator;
  readonly #instance: string;
  readonly #known: KnownClients | undefined;
  readonly #secure: boolean;
  #said: Said | undefined;

  /** `instance` is this proxy's name in Via; `known` has what was said on other connections of the client's. */
  constructor(initiator: Initiator, instance: string, known?: KnownClients) {
    this.#initiator = initiator;
    this.#instance = instance;
    const { tls, proxy } = initiator;
    // What a PROXY header tells is that one connection's.
    this.#known = proxy === undefined ? known : undefined;
    this.#secure = (tls ?? proxy?.tls) !== undefined;
  }

  /** The fields that say these facts. */
  of(facts: ForwardedFacts): PreparedFields {
    let said = this.#said;
    if (said === undefined || !areSame(said.facts, facts)) {
      said = this.#said = this.#say(facts);
    }
    return said.fields;
  }

  #say(facts: ForwardedFacts): Said {
    const { address } = this.#initiator.remote;
    const secure = this.#secure;
    // What a client shows in its handshake is that one connection's, too.
    const clients = facts.tellsCertificate ? undefined : this.#known;
    const known = clients?.said(address);
    if (known?.secure === secure && areSame(known.facts, facts)) return known;
    const fields = new PreparedFields(this.#entries(facts));
    const said = { facts, secure, fields };
    clients?.note(address, said);
    return said;
  }

  #entries(facts: ForwardedFacts): [string, string][] {
    const { remote, tls } = this.#initiator;
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
      element.set("proto", this.#secure ? "https" : "http");
      add("forwarded", formatForwarded(element));
    }
    if (facts.tellsCertificate && tls !== undefined) {
      entries.push(...clientCertificateFields(tls));
    }
    add("via", `${facts.version} ${this.#instance}`);
    return entries;
  }
}

/** Clients that are known at most. */
const MAX_KNOWN = 1_000;

/**
 * What was said last of clients, by their addresses: who comes with a connection
 * for each request has its fields made once (measured: 2 µs, a fifth of what such
 * a connection costs outside of the runtime and the system).
 */
export class KnownClients {
  readonly #said = new Map<string, Said>();

  /** What was said last of the client at an address. */
  said(address: string): Said | undefined {
    return this.#said.get(address);
  }

  /** Notes what is said of it now. */
  note(address: string, said: Said): void {
    const { host = "", chain } = said.facts;
    // Other proxies come with many clients' requests, each like no other; and
    // no long words are held for later.
    if (chain !== undefined || host.length > MAX_HOST_FIELD) return;
    if (this.#said.size >= MAX_KNOWN) this.#said.clear();
    this.#said.set(address, said);
  }
}

function areSame(a: ForwardedFacts, b: ForwardedFacts): boolean {
  return a.host === b.host && a.version === b.version && a.chain === b.chain &&
    a.forwardedHost === b.forwardedHost &&
    a.forwardedScheme === b.forwardedScheme &&
    a.tellsForwarded === b.tellsForwarded &&
    a.tellsCertificate === b.tellsCertificate;
}
