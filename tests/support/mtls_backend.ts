/**
 * An HTTPS backend that wants client certificates, by `node:tls`: `Deno.listenTls`
 * can't ask for them.
 *
 * @module
 */
import { createServer, type TLSSocket } from "node:tls";
import type { Identity } from "./certificates.ts";

/** A listening backend. */
export interface MtlsBackend extends AsyncDisposable {
  readonly port: number;
  /** As a config names it. */
  readonly url: string;
  /** Common names of the certificates that were shown. */
  readonly shown: readonly string[];
}

/** Answers every request with the common name of its client; refuses clients without a certificate of `ca`. */
export async function serveMtls(
  identity: Identity,
  ca: string,
): Promise<MtlsBackend> {
  const shown: string[] = [];
  const sockets = new Set<TLSSocket>();
  const server = createServer({
    ...identity,
    ca,
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: ["http/1.1"],
  }, (socket) => {
    const name = String(socket.getPeerCertificate().subject.CN);
    shown.push(name);
    sockets.add(socket);
    socket.on("error", () => {});
    let held = "";
    socket.on("data", (piece) => {
      held += piece;
      while (held.includes("\r\n\r\n")) {
        held = held.slice(held.indexOf("\r\n\r\n") + 4);
        socket.write(
          `HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`,
        );
      }
    });
  });
  // The refused ones: their clients' view is what tests look at.
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  const address = server.address();
  const port = typeof address === "object" ? address!.port : 0;
  return {
    port,
    url: `https://127.0.0.1:${port}`,
    shown,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
