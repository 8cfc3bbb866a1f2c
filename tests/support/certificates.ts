/**
 * Certificates made at run time: an authority and what it issues, EC P-256, such
 * as rustls, OpenSSL and Node accept (RFC 5280). Below, the few lines of DER
 * (X.690) that they take.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { isIPv4 } from "node:net";

/** A certificate with its private key, both PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** What an authority is asked for. */
export interface IssueOptions {
  /** dNSNames; `*.example.test` too. */
  readonly names?: readonly string[];
  /** iPAddresses, IPv4 or IPv6. */
  readonly ips?: readonly string[];
  /** uniformResourceIdentifiers. */
  readonly uris?: readonly string[];
  /** Common name; default the first name or address. */
  readonly commonName?: string;
  /** Left out = none. */
  readonly organisation?: string;
  /** Default an hour ago. */
  readonly notBefore?: Date;
  /** Default 30 days ahead. */
  readonly notAfter?: Date;
  /** For a client (EKU clientAuth) instead of a server (serverAuth). */
  readonly client?: boolean;
}

/** A root, or an authority below one, that issues leafs. */
export interface Authority extends Identity {
  /** The authority's own certificate, PEM: what clients get as `caCerts`. */
  readonly cert: string;
  /** Makes a key and a leaf (CA:FALSE) for it. */
  issue(options: IssueOptions): Promise<Identity>;
  /** Another authority, whose certificate this one signs. */
  below(commonName: string): Promise<Authority>;
}

type Der = Uint8Array<ArrayBuffer>;

/** Tag bytes of X.690 §8. */
const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

const encoder = new TextEncoder();

const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const ECDSA_WITH_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const OID = {
  commonName: oid("2.5.4.3"),
  organisation: oid("2.5.4.10"),
  subjectKeyIdentifier: oid("2.5.29.14"),
  keyUsage: oid("2.5.29.15"),
  subjectAltName: oid("2.5.29.17"),
  basicConstraints: oid("2.5.29.19"),
  authorityKeyIdentifier: oid("2.5.29.35"),
  extendedKeyUsage: oid("2.5.29.37"),
  serverAuth: oid("1.3.6.1.5.5.7.3.1"),
  clientAuth: oid("1.3.6.1.5.5.7.3.2"),
} as const;

interface KeyPair {
  readonly pair: CryptoKeyPair;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Der;
  /** SHA-1 of the public key's bits (RFC 5280 §4.2.1.2). */
  readonly id: Der;
  /** PKCS#8, PEM. */
  readonly pem: string;
}

interface Body {
  readonly issuer: Der;
  readonly signer: KeyPair;
  readonly subject: Der;
  readonly subjectKey: KeyPair;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: Der[];
}

async function makeKey(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const [spki, raw, pkcs8] = await Promise.all([
    crypto.subtle.exportKey("spki", pair.publicKey),
    crypto.subtle.exportKey("raw", pair.publicKey),
    crypto.subtle.exportKey("pkcs8", pair.privateKey),
  ]);
  return {
    pair,
    spki: new Uint8Array(spki),
    id: new Uint8Array(await crypto.subtle.digest("SHA-1", raw)),
    pem: pem("PRIVATE KEY", new Uint8Array(pkcs8)),
  };
}

function nameOf(commonName: string, organisation?: string): Der {
  const part = (type: Der, value: string) =>
    set(sequence(type, utf8String(value)));
  return sequence(
    ...(organisation === undefined
      ? []
      : [part(OID.organisation, organisation)]),
    part(OID.commonName, commonName),
  );
}

function extension(id: Der, value: Der, critical = false): Der {
  return critical
    ? sequence(id, boolean(true), octetString(value))
    : sequence(id, octetString(value));
}

/** WebCrypto's `r || s` as the SEQUENCE that X.509 wants (RFC 3279). */
function ecdsaSignature(raw: Uint8Array): Der {
  return sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
}

async function certificate(body: Body): Promise<string> {
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = 0x40 | (serial[0]! & 0x3f);
  const signed = sequence(
    explicit(0, integer(Uint8Array.of(2))),
    integer(serial),
    ECDSA_WITH_SHA256,
    body.issuer,
    sequence(time(body.notBefore), time(body.notAfter)),
    body.subject,
    body.subjectKey.spki,
    explicit(3, sequence(...body.extensions)),
  );
  const signature = await crypto.subtle.sign(
    { name: "ECDSA", hash: "SHA-256" },
    body.signer.pair.privateKey,
    signed,
  );
  return pem(
    "CERTIFICATE",
    sequence(
      signed,
      ECDSA_WITH_SHA256,
      bitString(ecdsaSignature(new Uint8Array(signature))),
    ),
  );
}

/** SKI, and AKI with the signer's key. */
function keyIdentifiers(subject: KeyPair, signer: KeyPair): Der[] {
  return [
    extension(OID.subjectKeyIdentifier, octetString(subject.id)),
    extension(OID.authorityKeyIdentifier, sequence(implicit(0, signer.id))),
  ];
}

function alternativeNames(options: IssueOptions): Der[] {
  const names = [
    ...(options.names ?? []).map((name) => implicit(2, encoder.encode(name))),
    ...(options.ips ?? []).map((ip) => implicit(7, addressBytes(ip))),
    ...(options.uris ?? []).map((uri) => implicit(6, encoder.encode(uri))),
  ];
  if (names.length === 0) return [];
  return [extension(OID.subjectAltName, sequence(...names))];
}

/**
 * A root of its own.
 *
 * @param commonName Its name, which makes it another issuer; default "Test CA"
 */
export async function makeAuthority(
  commonName = "Test CA",
): Promise<Authority> {
  const key = await makeKey();
  return await authority(commonName, key, { name: nameOf(commonName), key });
}

/** Who signs a certificate. */
interface Signer {
  readonly name: Der;
  readonly key: KeyPair;
}

async function authority(
  commonName: string,
  key: KeyPair,
  signer: Signer,
): Promise<Authority> {
  const name = nameOf(commonName);
  const now = Date.now();
  const cert = await certificate({
    issuer: signer.name,
    signer: signer.key,
    subject: name,
    subjectKey: key,
    notBefore: new Date(now - DAY),
    notAfter: new Date(now + 365 * DAY),
    extensions: [
      extension(OID.basicConstraints, sequence(boolean(true)), true),
      // keyCertSign and cRLSign: bits 5 and 6, one bit of the byte unused.
      extension(OID.keyUsage, bitString(Uint8Array.of(0x06), 1), true),
      ...keyIdentifiers(key, signer.key),
    ],
  });

  async function issue(options: IssueOptions): Promise<Identity> {
    const subjectKey = await makeKey();
    const issued = Date.now();
    const usage = options.client ? OID.clientAuth : OID.serverAuth;
    return {
      cert: await certificate({
        issuer: name,
        signer: key,
        subject: nameOf(
          options.commonName ?? options.names?.[0] ?? options.ips?.[0] ??
            "leaf",
          options.organisation,
        ),
        subjectKey,
        notBefore: options.notBefore ?? new Date(issued - HOUR),
        notAfter: options.notAfter ?? new Date(issued + 30 * DAY),
        extensions: [
          // rustls refuses leaf certificates that say CA:TRUE.
          extension(OID.basicConstraints, sequence(), true),
          // digitalSignature: bit 0, seven bits of the byte unused.
          extension(OID.keyUsage, bitString(Uint8Array.of(0x80), 7), true),
          extension(OID.extendedKeyUsage, sequence(usage)),
          ...keyIdentifiers(subjectKey, key),
          ...alternativeNames(options),
        ],
      }),
      key: subjectKey.pem,
    };
  }

  return {
    cert,
    key: key.pem,
    issue,
    below: async (commonName) =>
      authority(commonName, await makeKey(), { name, key }),
  };
}

function concat(parts: readonly Uint8Array[]): Der {
  const whole = new Uint8Array(
    parts.reduce((length, part) => length + part.length, 0),
  );
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) {
    bytes.unshift(left % 256);
  }
  return [0x80 | bytes.length, ...bytes];
}

function tagged(tag: number, ...contents: Uint8Array[]): Der {
  const content = concat(contents);
  return concat([Uint8Array.of(tag, ...lengthBytes(content.length)), content]);
}

function sequence(...contents: Uint8Array[]): Der {
  return tagged(TAG.sequence, ...contents);
}

function set(...contents: Uint8Array[]): Der {
  return tagged(TAG.set, ...contents);
}

/** `[number]` as an explicit, constructed tag. */
function explicit(number: number, ...contents: Uint8Array[]): Der {
  return tagged(0xa0 | number, ...contents);
}

/** `[number]` as an implicit tag of a primitive. */
function implicit(number: number, content: Uint8Array): Der {
  return tagged(0x80 | number, content);
}

function boolean(value: boolean): Der {
  return tagged(TAG.boolean, Uint8Array.of(value ? 0xff : 0));
}

/** A non-negative integer from its big-endian bytes. */
function integer(bytes: Uint8Array): Der {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const digits = bytes.subarray(from);
  return (digits[0] ?? 0) >= 0x80
    ? tagged(TAG.integer, Uint8Array.of(0), digits)
    : tagged(TAG.integer, digits);
}

function octetString(content: Uint8Array): Der {
  return tagged(TAG.octetString, content);
}

function bitString(content: Uint8Array, unusedBits = 0): Der {
  return tagged(TAG.bitString, Uint8Array.of(unusedBits), content);
}

function utf8String(text: string): Der {
  return tagged(TAG.utf8String, encoder.encode(text));
}

/** An object identifier in dotted form. */
function oid(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0;) {
      groups.unshift(0x80 | (left % 128));
      left = Math.floor(left / 128);
    }
    bytes.push(...groups);
  }
  return tagged(TAG.oid, Uint8Array.from(bytes));
}

/** UTCTime to 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5). */
function time(date: Date): Der {
  const digits = date.toISOString().replace(/\.\d+Z$/, "Z").replace(
    /[-:T]/g,
    "",
  );
  const short = date.getUTCFullYear() >= 1950 && date.getUTCFullYear() < 2050;
  return tagged(
    short ? TAG.utcTime : TAG.generalizedTime,
    encoder.encode(short ? digits.slice(2) : digits),
  );
}

/** Base64 between PEM lines. */
function pem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n")
    .trimEnd();
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** The 4 or 16 bytes of an IP address. */
function addressBytes(ip: string): Uint8Array {
  if (isIPv4(ip)) return Uint8Array.from(ip.split("."), Number);
  // The URL parser writes an IPv6 address in its one shortest form.
  const shortest = new URL(`http://[${ip}]`).hostname.slice(1, -1);
  const [before = "", after] = shortest.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
  const [head, tail] = [groups(before), groups(after ?? "")];
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return Uint8Array.from(
    [...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 255]),
  );
}
