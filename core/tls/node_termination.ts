/**
 * Handshakes by `node:tls`, over any connection: for listeners that want to
 * know more of them than the runtime's own listener tells.
 *
 * @module
 */
import * as tls from "node:tls";
import { ProxyError } from "../errors.ts";
import type { ByteConn } from "../net/byte_conn.ts";
import type { ClientCertificate, TlsFacts } from "../plugin.ts";
import { fatalAlert } from "./alert.ts";
import { type CertificatePair, readCertificates } from "./certificate_pair.ts";
import { type CertificateSet, covers } from "./certificate_set.ts";
import { Ciphertext } from "./ciphertext.ts";
import { clientCertificate } from "./client_certificate.ts";
import { DerError } from "./der.ts";
import { type Closing, NodeTlsConn } from "./node_tls_conn.ts";
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
      this.#contexts,
      this.#authorities,
      options,
    );
    try {
      await withinHandshakeTime(handshake.done, options);
      return handshake.secured();
    } catch (thrown) {
      await handshake.giveUp();
      conn.close();
      throw thrown;
    }
  }
}

/** The content type of a handshake's records (RFC 8446 §5.1). */
const HANDSHAKE = 22;

const PLAIN_HTTP = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
    "Content-Length: 61\r\nConnection: close\r\n\r\n" +
    "400 Bad Request\nThis port speaks TLS: ask for https:// here.\n",
);

/** One handshake. */
class Handshake {
  /** Settles when it is over. Rejects with a ProxyError. */
  readonly done: Promise<void>;
  readonly #conn: ByteConn;
  readonly #options: NodeTerminationOptions;
  readonly #ciphertext: Ciphertext;
  readonly #socket: tls.TLSSocket;
  readonly #secured: NodeTlsConn;
  readonly #authorities: Authorities;
  #chosen: CertificatePair;
  /** What the client has shown, once it is verified. */
  #client: ClientCertificate | undefined;
  /** What is told a client in the clear, where the handshake ends before it began. */
  #lastWords: Uint8Array | undefined;
  #fail: (reason: ProxyError) => void = () => {};

  constructor(
    conn: ByteConn,
    options: NodeTerminationOptions,
    contexts: ReadonlyMap<CertificatePair, tls.SecureContext>,
    authorities: Authorities,
    closing: Closing,
  ) {
    this.#conn = conn;
    this.#options = options;
    this.#authorities = authorities;
    const { certificates, clientAuth, alpn } = options;
    this.#chosen = certificates.default;
    const ciphertext = this.#ciphertext = new Ciphertext(conn);
    ciphertext.onFirst = (bytes) => this.#isTls(bytes);
    const socket = this.#socket = new tls.TLSSocket(ciphertext, {
      isServer: true,
      secureContext: contexts.get(certificates.default)!,
      requestCert: clientAuth !== undefined,
      rejectUnauthorized: clientAuth?.mode === "require",
      ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
      SNICallback: (name, answer) => {
        const chosen = this.#choose(name);
        if (chosen === undefined) answer(new Error("unknown name"));
        else answer(null, contexts.get(chosen));
      },
    });
    this.#secured = new NodeTlsConn({ conn, ciphertext, socket, closing });
    this.done = new Promise((resolve, reject) => {
      this.#fail = reject;
      socket.once("secure", () => this.#check(resolve, reject));
      socket.once("error", (thrown) => reject(this.#errorOf(thrown)));
      ciphertext.once("error", (thrown) => reject(this.#errorOf(thrown)));
      socket.once("close", () => reject(LEFT));
      ciphertext.once("end", () => reject(LEFT));
    });
  }

  /** What came of it, once it is done. */
  secured(): Secured {
    const { certificate } = this.#chosen;
    return {
      conn: this.#secured,
      tls: this.#facts(),
      covers: (host) => covers(certificate, host),
    };
  }

  /** Tells the client in the clear, where nothing was said yet, and ends what lies above the connection. */
  async giveUp(): Promise<void> {
    this.#ciphertext.open = false;
    if (this.#lastWords !== undefined) {
      try {
        // A few bytes into an empty buffer: one write takes them.
        await this.#conn.write(this.#lastWords);
        await this.#conn.closeWrite();
      } catch {
        // The client is gone: the reason that is told stands.
      }
    }
    this.#ciphertext.destroy();
    this.#socket.destroy();
  }

  #isTls(bytes: Uint8Array): boolean {
    if (bytes[0] === HANDSHAKE) return true;
    // A method's first letter: whoever speaks HTTP is answered in HTTP.
    const http = bytes[0]! >= 0x41 && bytes[0]! <= 0x5a;
    if (http && this.#options.speaksHttp) this.#lastWords = PLAIN_HTTP;
    this.#fail(
      new ProxyError(
        "not_tls",
        http ? "The client spoke no TLS but HTTP" : "The client spoke no TLS",
      ),
    );
    return false;
  }

  #choose(name: string): CertificatePair | undefined {
    const { certificates, strictSni } = this.#options;
    const found = certificates.find(name ?? "");
    if (found === undefined && strictSni) {
      this.#lastWords = fatalAlert("unrecognized_name");
      this.#fail(unknownName(name));
      return undefined;
    }
    return this.#chosen = found ?? certificates.default;
  }

  /** The handshake is done: whether the client may come in. */
  #check(resolve: () => void, reject: (reason: ProxyError) => void): void {
    const { strictSni, clientAuth, certificates } = this.#options;
    const name = serverName(this.#socket);
    if (strictSni && certificates.find(name ?? "") === undefined) {
      reject(unknownName(name));
      return;
    }
    if (clientAuth === undefined) {
      resolve();
      return;
    }
    const der = peerCertificate(this.#socket);
    if (der === undefined) {
      if (clientAuth.mode === "request") resolve();
      else reject(MISSING);
      return;
    }
    const problem = this.#clientProblem(der);
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
  #clientProblem(der: Uint8Array): string | undefined {
    const problem = verifyProblem(this.#socket);
    if (problem !== undefined) return problem;
    try {
      this.#client = clientCertificate(der);
    } catch (thrown) {
      if (!(thrown instanceof DerError)) throw thrown;
      return `it can't be read: ${thrown.message}`;
    }
    const { fingerprint, notAfter } = this.#client;
    const resumed = isResumed(this.#socket);
    if (!resumed) VERIFIED.note(fingerprint, this.#authorities);
    else if (!VERIFIED.has(fingerprint, this.#authorities)) {
      return "its session began where these authorities have not verified it";
    } else if (notAfter < Date.now()) {
      return "it has expired since its session began";
    }
    return undefined;
  }

  #facts(): TlsFacts {
    const socket = this.#socket;
    return Object.freeze({
      serverName: serverName(socket),
      alpn: socket.alpnProtocol || undefined,
      version: socket.getProtocol() ?? undefined,
      cipher: socket.getCipher()?.standardName,
      clientCertificate: this.#client,
    });
  }

  #errorOf(thrown: unknown): ProxyError {
    const { code, message } = thrown as { code?: string; message: string };
    if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return MISSING;
    // node:tls keeps its alerts to itself (tried on 2.9.6). Once a ServerHello
    // is out they would have to be encrypted, and the connection just ends.
    if (!this.#ciphertext.spoke) {
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

/** `servername` is not in every version's types; `false` and `""` stand for none. */
function serverName(socket: tls.TLSSocket): string | undefined {
  const { servername } = socket as { servername?: string | false | null };
  return servername ? servername.toLowerCase() : undefined;
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
