/**
 * The first message of a TLS client, read without ending TLS: which name it
 * asks for (RFC 8446 §4.1.2, RFC 6066 §3).
 *
 * @module
 */
import { isIP } from "node:net";
import { ProxyError } from "../errors.ts";
import { isHost } from "../net/address.ts";
import { canonicalHost } from "../net/host_name.ts";
import { ByteReader } from "./byte_reader.ts";

/** What of a ClientHello matters here. */
export interface ClientHello {
  /** In its one spelling: lower case, no dot at the end. Undefined where the client names none. */
  readonly serverName: string | undefined;
}

/**
 * Bytes that it may come in, with its records' headers: they fit a medium
 * buffer. One with post-quantum key shares and a ticket takes less than 4 KiB.
 */
const MAX_BYTES = 32 << 10;

/** Bytes of a record's plaintext (RFC 8446 §5.1). */
const MAX_FRAGMENT = 1 << 14;

const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;

/** `ContentType.handshake` (RFC 8446 §5.1). */
const HANDSHAKE = 22;
/** `HandshakeType.client_hello` (RFC 8446 §4). */
const CLIENT_HELLO = 1;
/** `ExtensionType.server_name` (RFC 8446 §4.2). */
const SERVER_NAME = 0;
/** `NameType.host_name` (RFC 6066 §3). */
const HOST_NAME = 0;

/** Where a record's plaintext lies, from the first byte of all. */
interface Fragment {
  readonly at: number;
  readonly length: number;
}

/**
 * Reads a ClientHello out of what has come so far. It may span records and be
 * cut at any byte; a record is looked at once, however often it is asked.
 */
export class ClientHelloReader {
  readonly #fragments: Fragment[] = [];
  /** Bytes of all fragments, also those that are still to come. */
  #announced = 0;
  /** Where the next record begins. */
  #next = 0;
  /** The message's length with its header, once that is there. */
  #wanted: number | undefined;

  /**
   * Looks at all bytes so far; undefined where more are needed. Throws
   * `not_tls` or `bad_client_hello` as soon as it can't be one.
   */
  read(bytes: Uint8Array): ClientHello | undefined {
    this.#readMessageHeader(bytes);
    while (this.#announced < (this.#wanted ?? MESSAGE_HEADER)) {
      if (!this.#readRecordHeader(bytes)) break;
      this.#readMessageHeader(bytes);
    }
    const complete = this.#announced === this.#wanted &&
      bytes.length >= this.#next;
    if (complete) return parseClientHello(this.#gather(bytes, this.#wanted!));
    if (bytes.length >= MAX_BYTES) throw tooLong();
    return undefined;
  }

  /** False where it is not all there. */
  #readRecordHeader(bytes: Uint8Array): boolean {
    const at = this.#next;
    checkRecordStart(bytes, at);
    if (bytes.length < at + RECORD_HEADER) return false;
    const length = bytes[at + 3]! << 8 | bytes[at + 4]!;
    if (length === 0 || length > MAX_FRAGMENT) {
      throw bad(`has a record of ${length} bytes`);
    }
    this.#fragments.push({ at: at + RECORD_HEADER, length });
    this.#announced += length;
    this.#next = at + RECORD_HEADER + length;
    return true;
  }

  #readMessageHeader(bytes: Uint8Array): void {
    if (this.#wanted === undefined) {
      const header = this.#gather(bytes, MESSAGE_HEADER);
      if (header.length > 0 && header[0] !== CLIENT_HELLO) {
        throw bad(`is a handshake message of type ${header[0]}`);
      }
      if (header.length < MESSAGE_HEADER) return;
      const length = header[1]! << 16 | header[2]! << 8 | header[3]!;
      if (length > MAX_BYTES) throw tooLong();
      this.#wanted = MESSAGE_HEADER + length;
    }
    if (this.#announced > this.#wanted) {
      throw bad("is followed by more in its record");
    }
  }

  /** The message's first bytes, so many or as many as there are. */
  #gather(bytes: Uint8Array, count: number): Uint8Array {
    const first = this.#fragments[0];
    if (first === undefined) return bytes.subarray(0, 0);
    if (first.length >= count) {
      return bytes.subarray(first.at, first.at + count);
    }
    const message = new Uint8Array(count);
    let length = 0;
    for (const fragment of this.#fragments) {
      if (length === count) break;
      const taken = Math.min(fragment.length, count - length);
      const piece = bytes.subarray(fragment.at, fragment.at + taken);
      message.set(piece, length);
      length += piece.length;
    }
    return message.subarray(0, length);
  }
}

/** Throws where a record that begins here is none of a handshake. */
function checkRecordStart(bytes: Uint8Array, at: number): void {
  const [type, major] = bytes.subarray(at, at + 2);
  if (type === undefined) return;
  if (type !== HANDSHAKE || (major !== undefined && major !== 3)) {
    if (at > 0) throw bad(`is interrupted by a record of type ${type}`);
    throw new ProxyError("not_tls", "The client does not speak TLS");
  }
}

/** Takes a whole message apart. Throws `bad_client_hello`. */
function parseClientHello(message: Uint8Array): ClientHello {
  try {
    const reader = new ByteReader(message.subarray(MESSAGE_HEADER));
    reader.skip(2, "version");
    reader.skip(32, "random");
    reader.vector(1, "session id");
    reader.vector(2, "cipher suites");
    reader.vector(1, "compression methods");
    // Clients of TLS 1.2 and older may come without any.
    const serverName = reader.ended
      ? undefined
      : readExtensions(reader.vector(2, "extensions"));
    reader.end("ClientHello");
    return { serverName };
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw bad(`is broken: ${thrown.message}`);
  }
}

/** The name that the extensions ask for. */
function readExtensions(extensions: ByteReader): string | undefined {
  let serverName: string | undefined;
  const seen = new Set<number>();
  while (!extensions.ended) {
    const type = extensions.number(2, "extension");
    const body = extensions.vector(2, "extension");
    // What a second one would mean is the backend's guess (RFC 8446 §4.2).
    if (seen.has(type)) throw bad(`has extension ${type} twice`);
    seen.add(type);
    if (type === SERVER_NAME) serverName = readServerNames(body);
  }
  return serverName;
}

function readServerNames(extension: ByteReader): string {
  const names = extension.vector(2, "server names");
  extension.end("server_name extension");
  const type = names.number(1, "server name");
  const name = names.vector(2, "server name");
  // RFC 6066 §3: one name a type, and there has only ever been one type.
  names.end("list of server names");
  if (type !== HOST_NAME) throw bad(`has a server name of type ${type}`);
  const host = canonicalHost(name.text());
  if (!isHost(host) && isIP(host) === 0) {
    throw bad("asks for what is no host name");
  }
  return host;
}

function tooLong(): ProxyError {
  return bad(`exceeds ${MAX_BYTES} bytes`);
}

function bad(what: string): ProxyError {
  return new ProxyError("bad_client_hello", `The ClientHello ${what}`);
}
