/**
 * Which backends are dialled with TLS, and how.
 *
 * @module
 */
import type { BackendUrl } from "../config/backend_url.ts";
import type { BackendTlsConfig } from "../config/config.ts";
import { BackendTls } from "../tls/backend_tls.ts";

/** TLS for `https`, and for `tcp` where the cluster says how; else undefined. */
export function tlsTo(
  url: BackendUrl,
  config: BackendTlsConfig | undefined,
): BackendTls | undefined {
  const https = url.scheme === "https";
  if (!https && (url.scheme !== "tcp" || config === undefined)) {
    return undefined;
  }
  const { ca, serverName, cert, key } = config ?? {};
  return new BackendTls({
    name: serverName ?? url.hostname,
    // What runs over tcp is the client's to know.
    alpn: https ? ["http/1.1"] : [],
    ca: ca?.pem,
    identity: cert === undefined || key === undefined
      ? undefined
      : { cert: cert.pem, key: key.pem },
  });
}
