/**
 * PEM files of certificates and keys, checked when they are loaded.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey } from "node:crypto";
import {
  type Certificate,
  parseCertificate,
  publicKeyBits,
} from "./certificate.ts";
import { DerError, readAll } from "./der.ts";
import { pemBlocks } from "./pem.ts";

/** The texts of a pair's files. */
export interface PairText {
  /** The certificate, and the chain behind it. */
  readonly cert: string;
  /** Its key: PKCS#8, PKCS#1 or SEC1, not encrypted. */
  readonly key: string;
}

/** A server's certificate, its key and what is known of it. */
export interface CertificatePair extends PairText {
  readonly certificate: Certificate;
}

/** A file that can't be used. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";
  /** Which of the pair's files it is. */
  readonly file: keyof PairText;

  constructor(file: keyof PairText, message: string, options?: ErrorOptions) {
    super(message, options);
    this.file = file;
  }
}

/** Checks a server's pair. Throws a {@linkcode CertificateError}. */
export function checkPair({ cert, key }: PairText): CertificatePair {
  const certificate = readCertificates(cert)[0]!;
  if (certificate.isAuthority) {
    throw new CertificateError(
      "cert",
      "expected a server's certificate, is an authority's (CA:TRUE), which clients refuse as a server's own",
    );
  }
  if (!fits(certificate, readKey(key))) {
    throw new CertificateError(
      "key",
      "expected the key of the certificate beside it, is another one",
    );
  }
  return { cert, key, certificate };
}

/** The certificates of a file, at least one: a chain from its leaf on, or authorities. Throws a {@linkcode CertificateError}. */
export function readCertificates(text: string): Certificate[] {
  const blocks = pemBlocks(text).filter(({ label }) => label === "CERTIFICATE");
  if (blocks.length === 0) {
    throw new CertificateError(
      "cert",
      "expected a PEM file with -----BEGIN CERTIFICATE-----",
    );
  }
  return blocks.map(({ bytes }, i) => {
    try {
      return parseCertificate(bytes);
    } catch (thrown) {
      if (!(thrown instanceof DerError)) throw thrown;
      throw new CertificateError(
        "cert",
        `expected certificates, number ${
          i + 1
        } can't be read: ${thrown.message}`,
        { cause: thrown },
      );
    }
  });
}

/** Whether a public key, as `readKey` tells it, is the certificate's. */
export function fits(certificate: Certificate, publicKey: Uint8Array): boolean {
  return sameBytes(publicKey, certificate.publicKey);
}

/** The bits of the public key of a file's private key. Throws a {@linkcode CertificateError}. */
export function readKey(text: string): Uint8Array {
  // What openssl writes for EC has a block of parameters before the key.
  const block = pemBlocks(text).find(({ label }) =>
    label.endsWith("PRIVATE KEY")
  );
  if (block === undefined) {
    throw new CertificateError(
      "key",
      "expected a PEM file with -----BEGIN PRIVATE KEY-----",
    );
  }
  if (block.label.startsWith("ENCRYPTED") || block.text.includes("ENCRYPTED")) {
    throw new CertificateError("key", "expected a key without a passphrase");
  }
  try {
    const key = createPublicKey(createPrivateKey(block.text));
    const der = Buffer.from(key.export({ type: "spki", format: "der" }));
    return publicKeyBits(readAll(der)[0]);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new CertificateError(
      "key",
      `expected a private key, it can't be read: ${reason}`,
      { cause: thrown },
    );
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
