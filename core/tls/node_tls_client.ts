/**
 * TLS towards a server by `node:tls`, for what `Deno.startTls` can't do: client
 * certificates, authorities that replace the well-known ones (startTls adds to
 * them), transports that are not TCP. It costs 9 µs more a request (measured).
 *
 * @module
 */
import { isIP } from "node:net";
import {
  connect,
  createSecureContext,
  type PeerCertificate,
  type TLSSocket,
} from "node:tls";
import type { ByteConn } from "../net/byte_conn.ts";
import { canonicalHost } from "../net/host_name.ts";
import { parseCertificate } from "./certificate.ts";
import { covers } from "./certificate_set.ts";
import { Ciphertext } from "./ciphertext.ts";
import { DerError } from "./der.ts";
import { NodeTlsConn } from "./node_tls_conn.ts";
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

/**
 * Whether this Deno's `node:tls` keeps to the authorities that it is given and
 * shows client certificates. 2.9 does, 2.4 does neither (tried); of the two only
 * 2.9 has native contexts.
 */
export function nodeTlsWorks(): boolean {
  return createSecureContext({}).context !== undefined;
}

/** The client's end of TLS on a connection that belongs to it from here on. */
export class NodeTlsClient extends NodeTlsConn implements TlsConn {
  readonly #socket: TLSSocket;
  readonly #secured: Promise<void>;
  #giveUp: (reason: Error) => void = () => {};

  constructor(conn: ByteConn, options: NodeTlsOptions) {
    const ciphertext = new Ciphertext(conn);
    const socket = connect(connectOptions(ciphertext, options));
    super({ conn, ciphertext, socket });
    this.#socket = socket;
    this.#secured = new Promise((resolve, reject) => {
      this.#giveUp = reject;
      socket.once("secureConnect", resolve);
      socket.once("error", (error) => reject(explained(error)));
      ciphertext.once("error", reject);
      // Below the error, where there is one.
      socket.once("close", () => reject(left()));
      ciphertext.once("end", () => reject(left()));
    });
    // Whoever does not wait for the handshake hears of its failure as it reads.
    this.#secured.catch(() => {});
  }

  handshake(): Promise<void> {
    return this.#secured;
  }

  override close(): void {
    this.#giveUp(new Deno.errors.Interrupted("The connection is closed"));
    super.close();
  }

  /** SHA-256 of the peer's certificate, in hex with colons; after the handshake. */
  get peerFingerprint(): string {
    return this.#socket.getPeerCertificate().fingerprint256;
  }
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

/**
 * Whether the certificate is the name's, as rustls has it: a common name
 * identifies nobody (RFC 9525 §2). Node's own check goes by names joined to a
 * text, in which one name can pose as two (tried on 2.9.6).
 */
function checkIdentity(
  name: string,
  { raw }: PeerCertificate,
): Error | undefined {
  const refused = (reason: string) =>
    Object.assign(new Error(reason), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  try {
    const certificate = parseCertificate(raw);
    return covers(certificate, canonicalHost(name)) ? undefined : refused(
      `The certificate is not for ${name} but for ${
        certificate.alternativeNames.join(", ") || "nobody"
      }`,
    );
  } catch (thrown) {
    if (!(thrown instanceof DerError)) throw thrown;
    return refused(`The certificate can't be read: ${thrown.message}`);
  }
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

function left(): Error {
  return new Deno.errors.UnexpectedEof(
    "The peer closed the connection within the handshake",
  );
}
