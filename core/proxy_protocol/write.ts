/**
 * Writes PROXY headers: who the client of a new connection to a backend is.
 *
 * @module
 */
import { formatIp, mapIp, parseIp, unmapIp } from "../net/ip_bytes.ts";
import type { SocketEnds } from "../net/socket_address.ts";
import type { SocketAddress } from "../plugin.ts";
import {
  IPV4_BYTES,
  IPV6_BYTES,
  V2_FIXED_BYTES,
  V2_SIGNATURE,
} from "./header.ts";

/** A version to send. */
export type SentVersion = "v1" | "v2";

/** Version 2 with the commands LOCAL and PROXY. */
const V2_LOCAL = 0x20;
const V2_PROXY = 0x21;

/** Families with their transport. */
const UNSPEC = 0x00;
const TCP4 = 0x11;
const TCP6 = 0x21;

const utf8 = new TextEncoder();

/**
 * The header for a client's connection: of IPv4 where both ends are, mapped
 * addresses counted as what they hold, else of IPv6. Where an end is no IP
 * address, as of a unix socket, it says that it doesn't know, as HAProxy's does:
 * UNKNOWN or LOCAL.
 */
export function writeHeader(
  version: SentVersion,
  { source, destination }: SocketEnds,
): Uint8Array {
  const from = ipOf(source);
  const to = ipOf(destination);
  if (from === undefined || to === undefined) return unknownHeader(version);
  const mixed = from.length !== to.length;
  const write = version === "v1" ? writeV1 : writeV2;
  return write(
    { ip: mixed ? mapIp(from) : from, port: source.port },
    { ip: mixed ? mapIp(to) : to, port: destination.port },
  );
}

/**
 * The header of a connection that the proxy makes for itself, such as a health
 * check's, with the connection's own ends. Version 1 has no word for that, and
 * some refuse UNKNOWN: it names those ends (§2.1).
 */
export function ownHeader(version: SentVersion, ends: SocketEnds): Uint8Array {
  return version === "v1" ? writeHeader(version, ends) : unknownHeader(version);
}

function unknownHeader(version: SentVersion): Uint8Array {
  return version === "v1"
    ? utf8.encode("PROXY UNKNOWN\r\n")
    : Uint8Array.of(...V2_SIGNATURE, V2_LOCAL, UNSPEC, 0, 0);
}

interface End {
  readonly ip: Uint8Array;
  readonly port: number;
}

/** The bytes of an end's address; undefined where it is none. */
function ipOf({ address }: SocketAddress): Uint8Array | undefined {
  // A zone names an interface of this machine: nobody else knows it.
  const zone = address.indexOf("%");
  const bytes = parseIp(zone < 0 ? address : address.slice(0, zone));
  return bytes && unmapIp(bytes);
}

function writeV1(source: End, destination: End): Uint8Array {
  const family = source.ip.length === 4 ? "TCP4" : "TCP6";
  const addresses = `${formatIp(source.ip)} ${formatIp(destination.ip)}`;
  const ports = `${source.port} ${destination.port}`;
  return utf8.encode(`PROXY ${family} ${addresses} ${ports}\r\n`);
}

function writeV2(source: End, destination: End): Uint8Array {
  const ipBytes = source.ip.length;
  const length = ipBytes === 4 ? IPV4_BYTES : IPV6_BYTES;
  const header = new Uint8Array(V2_FIXED_BYTES + length);
  const view = new DataView(header.buffer);
  header.set(V2_SIGNATURE);
  header[12] = V2_PROXY;
  header[13] = ipBytes === 4 ? TCP4 : TCP6;
  view.setUint16(14, length);
  header.set(source.ip, V2_FIXED_BYTES);
  header.set(destination.ip, V2_FIXED_BYTES + ipBytes);
  view.setUint16(V2_FIXED_BYTES + 2 * ipBytes, source.port);
  view.setUint16(V2_FIXED_BYTES + 2 * ipBytes + 2, destination.port);
  return header;
}
