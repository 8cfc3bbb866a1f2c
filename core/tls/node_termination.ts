/**
 * Handshakes by `node:tls`, over any connection: for listeners that want to
 * know more of them than the runtime's own listener tells.
 *
 * @module
 */
import * as tls from "node:tls";
import { ProxyError } from "../errors.ts";
import type { ByteConn } from "../net/byte_conn.ts";
import { withPrefix } from "../net/prefixed_conn.ts";
import type { ClientCertificate, TlsFacts } from "../plugin.ts";
import { fatalAlert } from "./alert.ts";
import { type CertificatePair, readCertificates } from "./certificate_pair.ts";
import { type CertificateSet, covers } from "./certificate_set.ts";
import { Ciphertext } from "./ciphertext.ts";
import { clientCertificate } from "./client_certificate.ts";
import { DerError } from "./der.ts";
import { type Closing, NodeTlsConn } from "./node_tls_conn.ts";
import { HelloError, type ReadHello, readHello } from "./read_hello.ts";
import {
  type HandshakeOptions,
  type Secured,
  type Termination,
  withinHandshakeTime,
} from "./termination.ts";
import { type Authorities, VerifiedClients } from "./verified_clients.ts";

/** What it is made of. */
export interface NodeTerminationOptions {
  readonly reason: string;
  readonly certificates: CertificateSet;
  readonly alpn: readonly string[];
  readonly strictSni: boolean;
  readonly verifyHost: boolean;
  /** Whether a client that speaks HTTP in the clear is answered in HTTP. */
  readonly speaksHttp: boolean;
  /** How clients are asked for a certificate, and the PEM of who may sign it. */
  readonly clientAuth:
    | { readonly ca: string; readonly mode: "request" | "require" }
    | undefined;
}

/** TLS by `node:tls`. */
export class NodeTermination implements Termination {
  readonly runtime = "node:tls";
  readonly reason: string;
  readonly certificates: CertificateSet;
  readonly alpn: readonly string[];
  readonly verifyHost: boolean;
  readonly #options: NodeTerminationOptions;
  readonly #contexts = new Map<CertificatePair, tls.SecureContext>();
  readonly #authorities: Authorities;

  constructor(options: NodeTerminationOptions) {
    this.reason = options.reason;
    this.certificates = options.certificates;
    this.alpn = options.alpn;
    this.verifyHost = options.verifyHost;
    this.#options = options;
    const { clientAuth } = options;
    this.#authorities = new Set(
      clientAuth &&
        readCertificates(clientAuth.ca).map(({ fingerprint }) => fingerprint),
    );
    for (const pair of options.certificates.pairs) {
      const { cert, key } = pair;
      const context = tls.createSecureContext({
        cert,
        key,
        ...(clientAuth !== undefined && { ca: clientAuth.ca }),
      });
      this.#contexts.set(pair, context);
    }
  }

  get asksClients(): boolean {
    return this.#options.clientAuth !== undefined;
  }

  async handshake(
    conn: ByteConn,
    options: HandshakeOptions,
  ): Promise<Secured> {
    const handshake = new Handshake(
      conn,
      this.#options,
      this.#authorities,
      options,
    );
    try {
      await withinHandshakeTime(handshake.run(this.#contexts), options);
      return handshake.secured();
    } catch (thrown) {
      await handshake.giveUp();
      conn.close();
      throw thrown;
    }
  }
}

const PLAIN_HTTP = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
    "Content-Length: 61\r\nConnection: close\r\n\r\n" +
    "400 Bad Request\nThis port speaks TLS: ask for https:// here.\n",
);

/** What `node:tls` makes of a connection. */
interface Layer {
  readonly ciphertext: Ciphertext;
  readonly socket: tls.TLSSocket;
  readonly secured: NodeTlsConn;
}

/** One handshake. */
class Handshake {
  readonly #conn: ByteConn;
  readonly #options: NodeTerminationOptions;
  readonly #authorities: Authorities;
  readonly #closing: Closing;
  #serverName: string | undefined;
  #chosen: CertificatePair;
  #layer: Layer | undefined;
  /** What the client has shown, once it is verified. */
  #client: ClientCertificate | undefined;
  /** What is told a client in the clear, where the handshake ends before it began. */
  #lastWords: Uint8Array | undefined;
  #givenUp = false;

  constructor(
    conn: ByteConn,
    options: NodeTerminationOptions,
    authorities: Authorities,
    closing: Closing,
  ) {
    this.#conn = conn;
    this.#options = options;
    this.#authorities = authorities;
    this.#closing = closing;
    this.#chosen = options.certificates.default;
  }

  /**
   * Resolves when it is done. Rejects with a ProxyError.
   *
   * The hello is read before there is a TLSSocket: whoever never sends one costs
   * little, and a TLSSocket with an `SNICallback` that is never called leaks 40
   * KB (tried on 2.9.6).
   */
  async run(
    contexts: ReadonlyMap<CertificatePair, tls.SecureContext>,
  ): Promise<void> {
    const { hello, bytes } = await this.#readHello();
    if (this.#givenUp) throw LEFT;
    this.#choose(hello.serverName);
    await this.#shake(
      withPrefix(this.#conn, bytes),
      contexts.get(this.#chosen)!,
    );
  }

  async #readHello(): Promise<ReadHello> {
    try {
      return await readHello(this.#conn);
    } catch (thrown) {
      if (!(thrown instanceof HelloError)) throw thrown;
      const { code, bytes, isHttp } = thrown;
      if (code !== "not_tls") {
        if (bytes.length > 0) this.#lastWords = fatalAlert("decode_error");
        throw thrown;
      }
      if (!isHttp) throw thrown;
      if (this.#options.speaksHttp) this.#lastWords = PLAIN_HTTP;
      throw new ProxyError(code, "The client spoke no TLS but HTTP");
    }
  }

  #shake(conn: ByteConn, secureContext: tls.SecureContext): Promise<void> {
    const { clientAuth, alpn } = this.#options;
    const ciphertext = new Ciphertext(conn);
    const socket = new tls.TLSSocket(ciphertext, {
      isServer: true,
      secureContext,
      requestCert: clientAuth !== undefined,
      rejectUnauthorized: clientAuth?.mode === "require",
      ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
    });
    const closing = this.#closing;
    const secured = new NodeTlsConn({ conn, ciphertext, socket, closing });
    const layer = this.#layer = { ciphertext, socket, secured };
    return new Promise((resolve, reject) => {
      socket.once("secure", () => this.#check(socket, resolve, reject));
      socket.once("error", (thrown) => reject(this.#errorOf(layer, thrown)));
      ciphertext.once(
        "error",
        (thrown) => reject(this.#errorOf(layer, thrown)),
      );
      socket.once("close", () => reject(LEFT));
      ciphertext.once("end", () => reject(LEFT));
    });
  }

  /** What came of it, once it is done. */
  secured(): Secured {
    const { certificate } = this.#chosen;
    const { secured, socket } = this.#layer!;
    return {
      conn: secured,
      tls: this.#facts(socket),
      covers: (host) => covers(certificate, host),
    };
  }

  /** Tells the client in the clear, where nothing was said yet, and ends what lies above the connection. */
  async giveUp(): Promise<void> {
    this.#givenUp = true;
    if (this.#layer !== undefined) this.#layer.ciphertext.open = false;
    if (this.#lastWords !== undefined) {
      try {
        // A few bytes into an empty buffer: one write takes them.
        await this.#conn.write(this.#lastWords);
        await this.#conn.closeWrite();
      } catch {
        // The client is gone: the reason that is told stands.
      }
    }
    this.#layer?.ciphertext.destroy();
    this.#layer?.socket.destroy();
  }

  /** The certificate for a name. Throws where there has to be one and is none. */
  #choose(name: string | undefined): void {
    const { certificates, strictSni } = this.#options;
    this.#serverName = name;
    const found = certificates.find(name ?? "");
    if (found === undefined && strictSni) {
      this.#lastWords = fatalAlert("unrecognized_name");
      throw unknownName(name);
    }
    this.#chosen = found ?? certificates.default;
  }

  /** The handshake is done: whether the client may come in. */
  #check(
    socket: tls.TLSSocket,
    resolve: () => void,
    reject: (reason: ProxyError) => void,
  ): void {
    const { clientAuth } = this.#options;
    if (clientAuth === undefined) {
      resolve();
      return;
    }
    const der = peerCertificate(socket);
    if (der === undefined) {
      if (clientAuth.mode === "request") resolve();
      else reject(MISSING);
      return;
    }
    const problem = this.#clientProblem(socket, der);
    if (problem === undefined) resolve();
    else {
      reject(
        new ProxyError(
          "client_cert_refused",
          `The client's certificate was refused: ${problem}`,
        ),
      );
    }
  }

  /** Why the client is not believed to be whom its certificate says; undefined where it is. */
  #clientProblem(
    socket: tls.TLSSocket,
    der: Uint8Array,
  ): string | undefined {
    const problem = verifyProblem(socket);
    if (problem !== undefined) return problem;
    try {
      this.#client = clientCertificate(der);
    } catch (thrown) {
      if (!(thrown instanceof DerError)) throw thrown;
      return `it can't be read: ${thrown.message}`;
    }
    const { fingerprint, notAfter } = this.#client;
    const resumed = isResumed(socket);
    if (!resumed) VERIFIED.note(fingerprint, this.#authorities);
    else if (!VERIFIED.has(fingerprint, this.#authorities)) {
      return "its session began where these authorities have not verified it";
    } else if (notAfter < Date.now()) {
      return "it has expired since its session began";
    }
    return undefined;
  }

  #facts(socket: tls.TLSSocket): TlsFacts {
    return Object.freeze({
      serverName: this.#serverName,
      alpn: socket.alpnProtocol || undefined,
      version: socket.getProtocol() ?? undefined,
      cipher: socket.getCipher()?.standardName,
      clientCertificate: this.#client,
    });
  }

  #errorOf({ ciphertext }: Layer, thrown: unknown): ProxyError {
    const { code, message } = thrown as { code?: string; message: string };
    if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return MISSING;
    // node:tls keeps its alerts to itself (tried on 2.9.6). Once a ServerHello
    // is out they would have to be encrypted, and the connection just ends.
    if (!ciphertext.spoke) {
      this.#lastWords ??= fatalAlert(
        code === "ERR_SSL_NO_APPLICATION_PROTOCOL"
          ? "no_application_protocol"
          : "handshake_failure",
      );
    }
    return new ProxyError(
      "tls_handshake_failed",
      `The TLS handshake failed: ${message}`,
      { cause: thrown },
    );
  }
}

const LEFT = new ProxyError(
  "tls_handshake_failed",
  "The client left within the TLS handshake",
);

const MISSING = new ProxyError(
  "client_cert_missing",
  "The client showed no certificate",
);

function unknownName(name: string | undefined): ProxyError {
  return new ProxyError(
    "tls_name_unknown",
    name
      ? `No certificate covers the name ${JSON.stringify(name)}`
      : "The client names no server, and strictSni wants a name",
  );
}

/** Certificates that whole handshakes of this worker have verified. */
const VERIFIED = new VerifiedClients();

/** Whether the session is an older one's; a runtime that does not tell resumes them all. */
function isResumed(socket: tls.TLSSocket): boolean {
  const { _handle: handle } = socket as unknown as {
    readonly _handle?: { readonly isSessionReused?: () => unknown };
  };
  return typeof handle?.isSessionReused !== "function" ||
    handle.isSessionReused() !== false;
}

/** The DER of what the client showed; undefined for nothing. */
function peerCertificate(socket: tls.TLSSocket): Uint8Array | undefined {
  return socket.getPeerCertificate(true)?.raw;
}

/**
 * Why the runtime does not believe the client's certificate, undefined where it
 * does. `authorized` is set by `tls.Server` only, from this; a runtime that
 * does not have it believes nobody.
 */
function verifyProblem(socket: tls.TLSSocket): string | undefined {
  const { _handle: handle } = socket as unknown as {
    readonly _handle?: { readonly verifyError?: () => unknown };
  };
  if (typeof handle?.verifyError !== "function") {
    return "the runtime does not tell whether it verified it";
  }
  const problem = handle.verifyError();
  if (problem === undefined || problem === null || problem === "") {
    return undefined;
  }
  return problem instanceof Error ? problem.message : String(problem);
}
