/**
 * TLS of a listener as its config wants it.
 *
 * @module
 */
import type { ListenerConfig } from "../config/config.ts";
import { checkPair } from "./certificate_pair.ts";
import { CertificateSet } from "./certificate_set.ts";
import { DenoTermination } from "./deno_termination.ts";
import { NodeTermination } from "./node_termination.ts";
import type { Termination } from "./termination.ts";
import { type TlsReaders, tlsRuntimeOf } from "./tls_runtime.ts";

/** Protocols that sessions speak: what is not there yet is not offered. */
const SPOKEN: readonly string[] = ["http/1.1"];

/** What ends TLS on a listener; undefined where it has none. Throws a `CertificateError`. */
export function terminationOf(
  config: ListenerConfig,
  /** Texts of files by their paths as the config has them. */
  files: Readonly<Record<string, string>>,
  readers: TlsReaders,
): Termination | undefined {
  const { tls, protocol } = config;
  const choice = tlsRuntimeOf(config, readers);
  if (tls === undefined || choice === undefined) return undefined;
  const read = (path: string) => files[path] ?? "";
  const certificates = new CertificateSet(
    tls.certificates.map(({ cert, key }) =>
      checkPair({ cert: read(cert), key: read(key) })
    ),
  );
  // What a TCP stream holds is its ends' to agree on: nothing is offered.
  const alpn = protocol === "tcp"
    ? []
    : tls.alpn.filter((name) => SPOKEN.includes(name));
  const { runtime, reason } = choice;
  const { strictSni, verifyHost, clientAuth } = tls;
  const node = () =>
    new NodeTermination({
      reason,
      certificates,
      alpn,
      strictSni,
      verifyHost,
      speaksHttp: protocol === "http",
      clientAuth: clientAuth &&
        { ca: read(clientAuth.ca), mode: clientAuth.mode },
    });
  return runtime === "node:tls"
    ? node()
    : new DenoTermination({ reason, certificates, alpn, plain: node });
}
