/**
 * Handshakes of connections that `Deno.listenTls` accepted.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { ByteConn } from "../net/byte_conn.ts";
import type { TlsFacts } from "../plugin.ts";
import type { CertificateSet } from "./certificate_set.ts";
import { type DenoTlsListener, ownerOf } from "./deno_listener.ts";
import {
  type HandshakeOptions,
  type Secured,
  type Termination,
  withinHandshakeTime,
} from "./termination.ts";

/** What it is made of. */
export interface DenoTerminationOptions {
  readonly reason: string;
  readonly certificates: CertificateSet;
  readonly alpn: readonly string[];
  /** Makes what ends TLS on connections that came without, while too many handshakes wait. */
  readonly plain: () => Termination;
}

/** TLS by the runtime's own listener. */
export class DenoTermination implements Termination {
  readonly runtime = "listenTls";
  readonly reason: string;
  readonly certificates: CertificateSet;
  readonly alpn: readonly string[];
  readonly verifyHost = false;
  readonly asksClients = false;
  readonly #makePlain: () => Termination;
  #plain: Termination | undefined;

  constructor({ reason, certificates, alpn, plain }: DenoTerminationOptions) {
    this.reason = reason;
    this.certificates = certificates;
    this.alpn = alpn;
    this.#makePlain = plain;
  }

  async handshake(
    conn: ByteConn,
    options: HandshakeOptions,
  ): Promise<Secured> {
    const owner = ownerOf(conn);
    if (owner === undefined) {
      this.#plain ??= this.#makePlain();
      return await this.#plain.handshake(conn, options);
    }
    return await this.#ownHandshake(owner, conn as Deno.TlsConn, options);
  }

  async #ownHandshake(
    owner: DenoTlsListener,
    conn: Deno.TlsConn,
    options: HandshakeOptions,
  ): Promise<Secured> {
    try {
      const { alpnProtocol } = await withinHandshakeTime(
        owner.handshake(conn),
        options,
      );
      return { conn, tls: factsOf(alpnProtocol), covers: () => true };
    } catch (thrown) {
      if (thrown instanceof ProxyError) owner.abandon(conn);
      else conn.close();
      throw thrown instanceof ProxyError ? thrown : handshakeError(thrown);
    }
  }
}

const NOTHING_AGREED = factsWith(undefined);

/** Connections that agreed on the same share their facts: the runtime tells nothing else. */
const AGREED = new Map<string, TlsFacts>();

function factsOf(alpn: string | null): TlsFacts {
  if (alpn === null) return NOTHING_AGREED;
  let facts = AGREED.get(alpn);
  // Only what was offered can be agreed on: the map stays small.
  if (facts === undefined) AGREED.set(alpn, facts = factsWith(alpn));
  return facts;
}

function factsWith(alpn: string | undefined): TlsFacts {
  return Object.freeze({
    serverName: undefined,
    alpn,
    version: undefined,
    cipher: undefined,
    clientCertificate: undefined,
  });
}

/** The reason of a handshake that failed, in words that tell what to look for. */
function handshakeError(thrown: unknown): ProxyError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const left = thrown instanceof Deno.errors.UnexpectedEof ||
    thrown instanceof Deno.errors.ConnectionReset ||
    thrown instanceof Deno.errors.BrokenPipe;
  if (message.includes("InvalidContentType")) {
    return new ProxyError("not_tls", "The client spoke no TLS", {
      cause: thrown,
    });
  }
  const text = left
    ? "The client left within the TLS handshake"
    : `The TLS handshake failed: ${message}`;
  return new ProxyError("tls_handshake_failed", text, { cause: thrown });
}
