/**
 * Who the client is, through proxies that are trusted, and what is believed of
 * the way to here.
 *
 * @module
 */
import { isIP } from "node:net";
import type { CidrSet } from "../net/cidr.ts";
import { canonicalHost } from "../net/host_name.ts";
import type { Fields } from "../message/fields.ts";
import {
  type ForwardedElement,
  nodeAddress,
  parseForwarded,
} from "../message/forwarded_field.ts";
import { CLIENT_CERTIFICATE_FIELDS } from "../tls/client_certificate.ts";

/** Which peers' word is believed. */
export interface TrustPolicy {
  readonly trusted: CidrSet | undefined;
  /** How many proxies stand before this one. */
  readonly hops: number;
}

/** What is known of the way that a request came. */
export interface Origin {
  /** The client's address. */
  readonly address: string;
  /** How the client came, where a proxy says so. */
  readonly scheme: "http" | "https" | undefined;
  /** What the client asked for, where only Forwarded says so. */
  readonly host: string | undefined;
  /** Entries of X-Forwarded-For up to the peer, where only Forwarded says them. */
  readonly chain: string | undefined;
  /** Whether a Forwarded of this hop tells the whole way. */
  readonly tellsForwarded: boolean;
}

/** What is known of a request's client; the way says it, not the request. */
export interface Identified {
  /** Whether the peer is a trusted proxy, whose word counts. */
  trusted: boolean;
  /** The client's address, through trusted proxies. */
  clientAddress: string;
  /** How the client came, through trusted proxies. */
  scheme: "http" | "https";
  /** What a trusted peer says of the way to it. */
  origin: Origin | undefined;
}

/** Notes who sent a request that came from `remote`, and removes from its fields what is not believed. */
export function identify(
  request: Identified,
  policy: TrustPolicy,
  remote: string,
  secure: boolean,
  fields: Fields,
): void {
  fields.removeLookalikes(TOLD);
  request.trusted = isTrusted(policy, remote);
  request.scheme = secure ? "https" : "http";
  request.clientAddress = remote;
  if (!request.trusted) {
    dropForged(fields);
    return;
  }
  const origin = believedOrigin(policy, remote, fields);
  request.origin = origin;
  request.clientAddress = origin.address;
  if (origin.scheme !== undefined) request.scheme = origin.scheme;
}

/** Whether the peer is a trusted proxy. */
export function isTrusted(policy: TrustPolicy, remote: string): boolean {
  return policy.trusted !== undefined && policy.trusted.has(remote);
}

/** What a client that is not believed may not say: nobody behind here may take it for this hop's. */
const FORGEABLE: readonly string[] = Object.freeze([
  "forwarded",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  ...CLIENT_CERTIFICATE_FIELDS,
]);

/**
 * What this hop tells. No proxy spells it with other signs, a client may
 * (`X_Client_Cert_Verify`), and backends with variables in place of fields would
 * take that for this hop's: it is removed, whoever sends it.
 */
const TOLD: readonly string[] = Object.freeze([
  "x-forwarded-for",
  ...FORGEABLE,
]);

/**
 * Removes what a client says of the way to it or of its certificate, where it
 * is not believed. X-Forwarded-For stays, its entries count from the right.
 */
export function dropForged(fields: Fields): void {
  fields.removeEach(FORGEABLE);
}

/**
 * What a trusted peer says of the way that a request came: in X-Forwarded-*, and
 * in Forwarded where X-Forwarded-For is absent.
 *
 * A Forwarded that names another client than X-Forwarded-For is removed: proxies
 * that speak only the one pass the other on as a client has written it. No
 * Forwarded begins at this hop either where the peer speaks only the other: it
 * would name the peer as the client.
 */
export function believedOrigin(
  policy: TrustPolicy,
  remote: string,
  fields: Fields,
): Origin {
  const elements = forwardedElements(fields);
  const element = elements && entryOf(elements, policy);
  const said = element && nodeAddress(element.get("for") ?? "");
  const scheme = fields.first("x-forwarded-proto");
  if (fields.has("x-forwarded-for")) {
    const address = clientAddress(policy, remote, fields);
    const agrees = said !== undefined &&
      canonicalHost(said) === canonicalHost(address);
    if (!agrees) fields.remove("forwarded");
    return {
      address,
      scheme: schemeOf(scheme ?? (agrees ? element?.get("proto") : undefined)),
      host: undefined,
      chain: undefined,
      tellsForwarded: agrees,
    };
  }
  if (element === undefined) fields.remove("forwarded");
  return {
    address: said ?? remote,
    scheme: schemeOf(scheme ?? element?.get("proto")),
    host: element?.get("host"),
    chain: elements && chainOf(elements),
    tellsForwarded: true,
  };
}

/** What Forwarded says; undefined where it says nothing that can be read. */
function forwardedElements(
  fields: Fields,
): readonly ForwardedElement[] | undefined {
  const field = fields.get("forwarded");
  const elements = field === null ? undefined : parseForwarded(field);
  return elements?.length === 0 ? undefined : elements;
}

/** X-Forwarded-For as the proxies would have written it that wrote Forwarded. */
function chainOf(elements: readonly ForwardedElement[]): string {
  return elements.map((element) =>
    nodeAddress(element.get("for") ?? "") ?? "unknown"
  ).join(", ");
}

function schemeOf(scheme: string | undefined): Origin["scheme"] {
  return scheme === "http" || scheme === "https" ? scheme : undefined;
}

/**
 * The client's address by X-Forwarded-For: the entry that the outermost of `hops`
 * proxies added; the peer's where that is no address.
 */
export function clientAddress(
  policy: TrustPolicy,
  remote: string,
  fields: Fields,
): string {
  const entries = fields.getAll("x-forwarded-for").join(",").split(",");
  const entry = bareAddress(entryOf(entries, policy)!.trim());
  return isIP(entry) !== 0 ? entry : remote;
}

/**
 * What the outermost trusted proxy added to a list. Each proxy appends, so entries
 * count from the right; whatever the client wrote itself is further left.
 */
function entryOf<T>(
  entries: readonly T[],
  { hops }: TrustPolicy,
): T | undefined {
  return entries[Math.max(0, entries.length - hops)];
}

/** An entry without the brackets and port that some proxies write. */
function bareAddress(entry: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(entry);
  if (bracketed !== null) return bracketed[1]!;
  const withPort = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry);
  return withPort === null ? entry : withPort[1]!;
}
