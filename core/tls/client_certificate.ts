/**
 * A client's certificate as plugins and backends get to know it.
 *
 * @module
 */
import type { ClientCertificate, TlsFacts } from "../plugin.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";

/**
 * The fields that tell backends of it, lower case. Clients can't send them, on
 * any listener: they are removed unless the peer is trusted.
 */
export const CLIENT_CERTIFICATE_FIELDS: readonly string[] = Object.freeze([
  "x-client-cert-verify",
  "x-client-cert-subject",
  "x-client-cert-issuer",
  "x-client-cert-san",
  "x-client-cert-serial",
  "x-client-cert-fingerprint",
]);

/** What is told of a verified certificate's DER. Throws a `DerError`. */
export function clientCertificate(der: Uint8Array): ClientCertificate {
  const certificate: Certificate = parseCertificate(der);
  return Object.freeze({
    subject: certificate.subject,
    issuer: certificate.issuer,
    names: Object.freeze([...certificate.alternativeNames]),
    serialNumber: certificate.serialNumber,
    fingerprint: certificate.fingerprint,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
  });
}

/**
 * The fields for backends of a listener that asks clients for certificates.
 * `Verify` is nginx's $ssl_client_verify: `SUCCESS`, or `NONE` for a client
 * that may come without one; there is no third, what does not verify is refused.
 */
export function clientCertificateFields(
  { clientCertificate }: TlsFacts,
): [string, string][] {
  if (clientCertificate === undefined) {
    return [["x-client-cert-verify", "NONE"]];
  }
  const { subject, issuer, names, serialNumber, fingerprint } =
    clientCertificate;
  const fields: [string, string][] = [
    ["x-client-cert-verify", "SUCCESS"],
    ["x-client-cert-subject", subject],
    ["x-client-cert-issuer", issuer],
    ["x-client-cert-san", names.join(",")],
    ["x-client-cert-serial", serialNumber],
    ["x-client-cert-fingerprint", fingerprint],
  ];
  return fields.filter(([, value]) => value !== "");
}
