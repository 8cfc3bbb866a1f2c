/**
 * PEM files: whether they hold what they are for.
 *
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

const CERTIFICATE =
  /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** All certificates of a file, in its order. Throws a `SyntaxError` that says what was expected. */
export function parseCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) {
    throw new SyntaxError("expected a PEM file with a certificate");
  }
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new SyntaxError(
        `expected a PEM file with certificates, number ${i + 1} is broken`,
      );
    }
  });
}

/** The private key of a file. Throws a `SyntaxError` that says what was expected. */
export function parsePrivateKey(pem: string): KeyObject {
  if (/-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    throw new SyntaxError("expected a private key that is not encrypted");
  }
  try {
    return createPrivateKey(pem);
  } catch {
    throw new SyntaxError("expected a PEM file with a private key");
  }
}
