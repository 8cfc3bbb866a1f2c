/**
 * What a failure of TLS towards a backend is called. Both `Deno.TlsConn` and
 * `node:tls` speak in rustls' words; `node:tls` verifies names by its own.
 *
 * @module
 */
import type { FailureCode } from "../errors.ts";

/** Alerts by which a peer refuses the certificate it was shown, or the lack of one (RFC 8446 §6.2). */
const REFUSED_CERTIFICATE =
  /fatal alert: (BadCertificate|UnsupportedCertificate|Certificate(Revoked|Expired|Unknown|Required)|UnknownCA|AccessDenied)\b/;

/** rustls on a certificate that has other names. */
const WRONG_NAME = /not valid for name|NotValidForName/;

/** Codes of `node:tls` for certificates that can't be verified, as OpenSSL names them. */
const UNVERIFIED = /CERT|SIGNATURE|SIGNED/;

/** What it is called that a handshake failed. */
export function handshakeFailureCode(thrown: unknown): FailureCode {
  const { code, message } = partsOf(thrown);
  if (REFUSED_CERTIFICATE.test(message)) return "backend_refused_certificate";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID" || WRONG_NAME.test(message)) {
    return "backend_wrong_name";
  }
  return message.startsWith("invalid peer certificate") || UNVERIFIED.test(code)
    ? "backend_untrusted"
    : "backend_handshake_failed";
}

/**
 * What it is called that a read or write failed, where that is more than an
 * end: in TLS 1.3 a backend's word on our certificate comes after the handshake.
 */
export function transferFailureCode(thrown: unknown): FailureCode | undefined {
  return REFUSED_CERTIFICATE.test(partsOf(thrown).message)
    ? "backend_refused_certificate"
    : undefined;
}

function partsOf(thrown: unknown): { code: string; message: string } {
  if (!(thrown instanceof Error)) return { code: "", message: String(thrown) };
  const code = "code" in thrown ? String(thrown.code) : "";
  return { code, message: thrown.message };
}
