/**
 * Layer 4 by name: a TLS client's ClientHello is read, but its TLS goes on to
 * the backend as it is.
 *
 * @module
 */
import { asProxyError, ProxyError } from "../errors.ts";
import { type Analyser, HeldDirection } from "../net/held_direction.ts";
import type { Socket } from "../net/socket.ts";
import type { TlsFacts } from "../plugin.ts";
import { fatalAlert } from "../tls/alert.ts";
import { type ClientHello, ClientHelloReader } from "../tls/client_hello.ts";
import type { ListenerRuntime } from "../snapshot/snapshot.ts";

/** A client that is refused gets so many milliseconds to take the reason. */
const TELL_TIMEOUT = 1_000;

/** What a client is told that speaks HTTP where TLS is to begin. */
const NOT_HTTP = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n" +
    "Connection: close\r\nContent-Length: 39\r\n\r\n" +
    "This port speaks TLS: ask for https://\n",
);

/**
 * Waits for the ClientHello, which stays in the socket's buffer. Rejects with a
 * ProxyError; a client that speaks TLS or HTTP is told in its words.
 */
export async function readClientHello(
  client: Socket,
  timeout: number,
): Promise<ClientHello> {
  const analyser = new HelloAnalyser(client, timeout);
  const direction = new HeldDirection(client, {
    interruptible: false,
    released: () => analyser.hello!,
  });
  direction.hold([analyser]);
  try {
    return await direction.release();
  } catch (thrown) {
    const { code } = asProxyError(thrown);
    if (code === "bad_client_hello") {
      await tell(client, fatalAlert("decode_error"));
    } else if (code === "not_tls" && beginsLikeHttp(client)) {
      await tell(client, NOT_HTTP);
    }
    throw thrown;
  }
}

/** What is known of a client's TLS that goes on to its backend. */
export function factsOf({ serverName }: ClientHello): TlsFacts {
  return {
    serverName,
    alpn: undefined,
    version: undefined,
    cipher: undefined,
    clientCertificate: undefined,
  };
}

/**
 * The cluster of the name that a client asks for, else the listener's own.
 * Rejects with `tls_name_unknown` where there is neither.
 */
export async function clusterOf(
  { serverName }: ClientHello,
  listener: ListenerRuntime,
  client: Socket,
): Promise<string> {
  const found = findCluster(serverName, listener);
  if (found !== undefined) return found;
  await tell(client, fatalAlert("unrecognized_name"));
  throw unknownName(serverName);
}

/** As {@linkcode clusterOf}, undefined where there is neither. */
export function findCluster(
  serverName: string | undefined,
  { sni, cluster }: ListenerRuntime,
): string | undefined {
  const named = serverName === undefined ? undefined : sni?.find(serverName);
  return named ?? cluster;
}

/** What a client is refused with that asks for a name without a cluster. */
export function unknownName(serverName: string | undefined): ProxyError {
  return new ProxyError(
    "tls_name_unknown",
    serverName === undefined
      ? "The client asks for no server name"
      : `No cluster for the server name ${serverName}`,
  );
}

class HelloAnalyser implements Analyser {
  readonly deadline: Analyser["deadline"];
  hello: ClientHello | undefined;
  readonly #client: Socket;
  readonly #reader = new ClientHelloReader();

  constructor(client: Socket, timeout: number) {
    this.#client = client;
    this.deadline = { milliseconds: timeout, code: "tls_handshake_timeout" };
  }

  analyse(): "done" | "more" {
    const { bytes, start, end } = this.#client;
    this.hello = this.#reader.read(bytes.subarray(start, end));
    return this.hello === undefined ? "more" : "done";
  }

  ended(): never {
    throw this.#client.held === 0
      ? new ProxyError("client_closed", "The client left before a ClientHello")
      : new ProxyError(
        "bad_client_hello",
        "The client ended the connection within its ClientHello",
      );
  }

  full(): never {
    throw new ProxyError("bad_client_hello", "No buffer for the ClientHello");
  }
}

function beginsLikeHttp({ bytes, start, end }: Socket): boolean {
  const first = bytes.subarray(start, Math.min(end, start + 16));
  return /^[A-Z]+ [/*h]/.test(String.fromCharCode(...first));
}

async function tell(client: Socket, bytes: Uint8Array): Promise<void> {
  client.limitWrites(TELL_TIMEOUT, "client_write_timeout");
  try {
    await client.write(bytes);
  } catch {
    // The client left, or does not listen: what it was to be told stands anyway.
  }
}
