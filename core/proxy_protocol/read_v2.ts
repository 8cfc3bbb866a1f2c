/**
 * Version 2 of the PROXY header: binary (§2.2).
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { formatIp } from "../net/ip_bytes.ts";
import type { SocketEnds } from "../net/socket_address.ts";
import type { SocketAddress } from "../plugin.ts";
import {
  type HeaderRead,
  IPV4_BYTES,
  IPV6_BYTES,
  V2_FIXED_BYTES,
  V2_SIGNATURE,
} from "./header.ts";
import { readTlvs, SILENT_TLVS } from "./read_tlvs.ts";

/** The longest header that is read, as long as HAProxy's buffer; the protocol's own bound is 65,551. */
export const MAX_HEADER_BYTES = 16 << 10;

const LOCAL = 0;
const PROXY = 1;

/** Bytes of both addresses of an AF_UNIX header. */
const UNIX_BYTES = 216;

/** As `readHeader`, for bytes that begin with the signature. */
export function readV2(
  bytes: Uint8Array,
  start: number,
  end: number,
): HeaderRead {
  const at = start + V2_SIGNATURE.length;
  if (end === at) return undefined;
  const command = checkCommand(bytes[at]!);
  if (end === at + 1) return undefined;
  const family = command === LOCAL ? undefined : checkFamily(bytes[at + 1]!);
  if (end < start + V2_FIXED_BYTES) return undefined;
  const length = bytes[at + 2]! << 8 | bytes[at + 3]!;
  checkLength(length, family);
  const headerEnd = start + V2_FIXED_BYTES + length;
  if (end < headerEnd) return undefined;
  const header = bytes.subarray(start, headerEnd);
  return {
    header: {
      version: 2,
      local: command === LOCAL,
      ends: family?.read?.(header),
      // Without a family nobody knows where the addresses end and TLVs begin.
      ...family === undefined
        ? SILENT_TLVS
        : readTlvs(header, V2_FIXED_BYTES + family.bytes),
    },
    end: headerEnd,
  };
}

/** The addresses of a family: how many bytes, and what they say of a connection like ours. */
interface Family {
  readonly bytes: number;
  readonly read: ((header: Uint8Array) => SocketEnds) | undefined;
}

/**
 * By address family, then transport. Datagrams and unix sockets are no clients
 * of ours: their addresses are skipped, as of UNSPEC, and the connection's own
 * ends stand (§2.2, "falls back to the UNSPEC mode").
 */
const FAMILIES: readonly (readonly (Family | undefined)[])[] = [
  [undefined, undefined, undefined],
  [
    undefined,
    { bytes: IPV4_BYTES, read: (header) => readEnds(header, 4) },
    { bytes: IPV4_BYTES, read: undefined },
  ],
  [
    undefined,
    { bytes: IPV6_BYTES, read: (header) => readEnds(header, 16) },
    { bytes: IPV6_BYTES, read: undefined },
  ],
  [
    undefined,
    { bytes: UNIX_BYTES, read: undefined },
    { bytes: UNIX_BYTES, read: undefined },
  ],
];

function checkCommand(byte: number): number {
  if (byte >> 4 !== 2) throw invalid(`it is of version ${byte >> 4}`);
  const command = byte & 0xf;
  if (command !== LOCAL && command !== PROXY) {
    throw invalid(`its command ${command} is unknown`);
  }
  return command;
}

/** The family, undefined for UNSPEC. */
function checkFamily(byte: number): Family | undefined {
  const transports = FAMILIES[byte >> 4];
  if (transports === undefined) {
    throw invalid(`its address family ${byte >> 4} is unknown`);
  }
  const transport = byte & 0xf;
  if (transport >= transports.length) {
    throw invalid(`its transport ${transport} is unknown`);
  }
  return transports[transport];
}

function checkLength(length: number, family: Family | undefined): void {
  if (length < (family?.bytes ?? 0)) {
    throw invalid(`its ${length} bytes are fewer than its addresses'`);
  }
  if (V2_FIXED_BYTES + length > MAX_HEADER_BYTES) {
    throw invalid(`it is longer than ${MAX_HEADER_BYTES} bytes`);
  }
}

/** Two addresses of so many bytes, then two ports. */
function readEnds(header: Uint8Array, length: number): SocketEnds {
  const ports = V2_FIXED_BYTES + 2 * length;
  const end = (number: number): SocketAddress => {
    const at = V2_FIXED_BYTES + number * length;
    const port = ports + 2 * number;
    return {
      address: formatIp(header.subarray(at, at + length)),
      port: header[port]! << 8 | header[port + 1]!,
    };
  };
  return { source: end(0), destination: end(1) };
}

function invalid(reason: string): ProxyError {
  return new ProxyError(
    "proxy_header_invalid",
    `The PROXY header of version 2 is invalid: ${reason}`,
  );
}
