/**
 * TLS towards a server by `node:tls`, for what `Deno.startTls` can't do: client
 * certificates, authorities that replace the well-known ones (startTls adds to
 * them), transports that are not TCP. It costs 9 µs more a request (measured).
 *
 * @module
 */
import { isIP } from "node:net";
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type PeerCertificate,
  type TLSSocket,
} from "node:tls";
import type { ByteConn } from "../net/byte_conn.ts";
import { Ciphertext } from "./ciphertext.ts";
import type { TlsConn } from "./tls_conn.ts";

/** What is asked for, shown and verified. */
export interface NodeTlsOptions {
  /** The server's name or IP address. */
  readonly name: string;
  /** Protocols to offer, the best first; none offers nothing. */
  readonly alpn: readonly string[];
  /** Authorities, PEM: these and no others; undefined = the well-known ones. */
  readonly ca: string | undefined;
  /** What is shown to servers that ask, PEM. */
  readonly identity: ClientIdentity | undefined;
}

/** A client's certificate and its key, both PEM. */
export interface ClientIdentity {
  readonly cert: string;
  readonly key: string;
}

/** Plaintext that waits to be read, in bytes, before no more ciphertext is read. */
const HIGH_WATER_MARK = 64 << 10;

/** Bytes of one write at most: who counts how long a write takes sees a slow peer take them. */
const WRITE_BYTES = 64 << 10;

/**
 * Whether this Deno's `node:tls` keeps to the authorities that it is given and
 * shows client certificates. 2.9 does, 2.4 does neither (tried); of the two only
 * 2.9 has native contexts.
 */
export function nodeTlsWorks(): boolean {
  return createSecureContext({}).context !== undefined;
}

/** The client's end of TLS on a connection that belongs to it from here on. */
export class NodeTlsConn implements TlsConn {
  readonly #ciphertext: Ciphertext;
  readonly #socket: TLSSocket;
  readonly #secured = Promise.withResolvers<void>();
  /** Plaintext that nobody has read yet. */
  readonly #pieces: Uint8Array[] = [];
  #held = 0;
  #ended = false;
  #failure: Error | undefined;
  #wakeReader: (() => void) | undefined;

  constructor(conn: ByteConn, options: NodeTlsOptions) {
    const ciphertext = this.#ciphertext = new Ciphertext(conn);
    // Whoever does not wait for the handshake hears of its failure as it reads.
    this.#secured.promise.catch(() => {});
    ciphertext.on("error", this.#fail);
    // Registered before node:tls does: where the peer ended TLS before its
    // connection, the plaintext's end came first.
    ciphertext.once("end", () => {
      if (!this.#ended) this.#fail(truncated());
    });
    const socket = this.#socket = connect(connectOptions(ciphertext, options));
    // The peer's end says nothing of our direction.
    socket.allowHalfOpen = true;
    socket.once("secureConnect", this.#secured.resolve);
    // Flowing, and what it flows out of is held back: a TLSSocket that is
    // paused forgets the end (tried on 2.9.6).
    socket.on("data", this.#take);
    socket.once("end", () => {
      this.#ended = this.#failure === undefined;
      this.#wakeReader?.();
    });
    socket.on("error", (error) => this.#fail(explained(error)));
    socket.once("close", () => this.#fail(closed()));
  }

  async handshake(): Promise<void> {
    await this.#secured.promise;
  }

  /** SHA-256 of the peer's certificate, in hex with colons; after the handshake. */
  get peerFingerprint(): string {
    return this.#socket.getPeerCertificate().fingerprint256;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#held === 0) {
      if (this.#ended) return null;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    const first = this.#pieces[0]!;
    const count = Math.min(first.length, buffer.length);
    buffer.set(count === first.length ? first : first.subarray(0, count));
    if (count === first.length) this.#pieces.shift();
    else this.#pieces[0] = first.subarray(count);
    this.#held -= count;
    if (this.#held < HIGH_WATER_MARK) this.#ciphertext.letThrough();
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    const taken = bytes.length > WRITE_BYTES
      ? bytes.subarray(0, WRITE_BYTES)
      : bytes;
    return new Promise((resolve, reject) => {
      this.#socket.write(taken, (error) => {
        if (error) reject(this.#failure ?? error);
        else resolve(taken.length);
      });
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once("finish", resolve);
      this.#socket.once("close", () => reject(this.#failure));
      this.#socket.end();
    });
  }

  close(): void {
    this.#socket.destroy();
    this.#ciphertext.destroy();
  }

  readonly #take = (piece: Uint8Array): void => {
    this.#pieces.push(piece);
    this.#held += piece.length;
    if (this.#held >= HIGH_WATER_MARK) this.#ciphertext.holdBack();
    this.#wakeReader?.();
  };

  readonly #fail = (error: Error): void => {
    this.#failure ??= error;
    this.#secured.reject(this.#failure);
    this.#wakeReader?.();
  };
}

function connectOptions(socket: Ciphertext, options: NodeTlsOptions) {
  const { name, alpn, ca, identity } = options;
  return {
    socket,
    // An IP address is no server name (RFC 6066 §3), but it is verified.
    ...(isIP(name) === 0 ? { servername: name } : { host: name }),
    ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
    ...(ca !== undefined && { ca }),
    ...identity,
    checkServerIdentity: checkIdentity,
  };
}

/** As Node does it, but a common name identifies nobody (RFC 9525 §2), as rustls has it. */
function checkIdentity(
  name: string,
  certificate: PeerCertificate,
): Error | undefined {
  const names = certificate.subjectaltname ?? "";
  if (isIP(name) !== 0 || names.includes("DNS:")) {
    return checkServerIdentity(name, certificate);
  }
  return Object.assign(
    new Error(`The certificate has no DNS names, ${name} is wanted`),
    { code: "ERR_TLS_CERT_ALTNAME_INVALID" },
  );
}

/** `node:tls` says of every certificate that it does not trust, of expired ones too, that it can't verify the first one (tried on 2.9.6). */
function explained(error: Error & { readonly code?: string }): Error {
  if (error.code !== "UNABLE_TO_VERIFY_LEAF_SIGNATURE") return error;
  return Object.assign(
    new Error(
      "the certificate is not of a trusted authority, or not of this time",
      { cause: error },
    ),
    { code: error.code },
  );
}

function truncated(): Error {
  return new Deno.errors.UnexpectedEof(
    "The peer closed the connection without ending TLS",
  );
}

function closed(): Error {
  return new Deno.errors.Interrupted("The connection is closed");
}
