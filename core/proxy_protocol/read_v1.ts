/**
 * Version 1 of the PROXY header: one line of text (§2.1).
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { formatIp, parseIp } from "../net/ip_bytes.ts";
import type { SocketEnds } from "../net/socket_address.ts";
import type { SocketAddress } from "../plugin.ts";
import type { HeaderRead } from "./header.ts";

/** The longest line with its CRLF. */
const MAX_LINE_BYTES = 107;

const CR = 13;
const LF = 10;

/** As `readHeader`, for bytes that begin with `PROXY`. */
export function readV1(
  bytes: Uint8Array,
  start: number,
  end: number,
): HeaderRead {
  const lineEnd = findLineEnd(bytes, start, end);
  if (lineEnd === undefined) return undefined;
  const line = String.fromCharCode(...bytes.subarray(start, lineEnd));
  return {
    header: {
      version: 1,
      local: false,
      ends: parseLine(line),
      authority: undefined,
      alpn: undefined,
      uniqueId: undefined,
      tls: undefined,
      tlvs: [],
    },
    end: lineEnd + 2,
  };
}

/** Where the line's CRLF is, undefined while it may still come. */
function findLineEnd(
  bytes: Uint8Array,
  start: number,
  end: number,
): number | undefined {
  const limit = Math.min(end, start + MAX_LINE_BYTES);
  for (let i = start; i < limit; i++) {
    if (bytes[i] === LF) throw invalid("its line has LF without CR");
    if (bytes[i] !== CR) continue;
    if (i + 1 === start + MAX_LINE_BYTES) break;
    if (i + 1 === end) return undefined;
    if (bytes[i + 1] !== LF) throw invalid("its line has CR without LF");
    return i;
  }
  if (end - start < MAX_LINE_BYTES) return undefined;
  throw invalid(`its line has no end within ${MAX_LINE_BYTES} bytes`);
}

/** The ends that the line tells; undefined where it says that it doesn't know them. */
function parseLine(line: string): SocketEnds | undefined {
  // Whatever follows UNKNOWN is to be ignored.
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return undefined;
  const parts = line.split(" ");
  const [, family, source, destination, sourcePort, destinationPort] = parts;
  if (parts.length !== 6) throw invalid("its line has not six parts");
  if (parts[0] !== "PROXY" || family !== "TCP4" && family !== "TCP6") {
    throw invalid("its line is neither of TCP4, of TCP6 nor UNKNOWN");
  }
  const length = family === "TCP4" ? 4 : 16;
  return {
    source: parseEnd(source!, sourcePort!, length),
    destination: parseEnd(destination!, destinationPort!, length),
  };
}

function parseEnd(
  address: string,
  port: string,
  length: number,
): SocketAddress {
  // `::ffff:1.2.3.4` is among them: the system writes a mapped address so.
  const bytes = parseIp(address);
  if (bytes?.length !== length) {
    throw invalid("an address is none of its family");
  }
  if (!/^(?:0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) {
    throw invalid("a port is none");
  }
  return { address: formatIp(bytes), port: Number(port) };
}

function invalid(reason: string): ProxyError {
  return new ProxyError(
    "proxy_header_invalid",
    `The PROXY header of version 1 is invalid: ${reason}`,
  );
}
