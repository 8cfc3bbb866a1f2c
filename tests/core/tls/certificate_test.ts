import fc from "fast-check";
import { parseCertificate } from "../../../core/tls/certificate.ts";
import {
  CertificateError,
  checkPair,
  readCertificates,
} from "../../../core/tls/certificate_pair.ts";
import { DerError } from "../../../core/tls/der.ts";
import { pemBlocks } from "../../../core/tls/pem.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import {
  type IssueOptions,
  makeAuthority,
} from "../../support/certificates.ts";

const ca = await makeAuthority("Röot, Inc.");

async function parsed(spec: IssueOptions) {
  const { cert } = await ca.issue(spec);
  return parseCertificate(pemBlocks(cert)[0]!.bytes);
}

Deno.test("parseCertificate tells names, time, number and who signed", async () => {
  const notBefore = new Date("2026-01-02T03:04:05Z");
  const notAfter = new Date("2051-12-31T23:59:59Z");
  const certificate = await parsed({
    commonName: "a.example",
    organisation: "Example",
    names: ["A.Example", "*.b.example"],
    ips: ["192.0.2.1", "2001:db8::1"],
    uris: ["urn:x:y"],
    notBefore,
    notAfter,
  });
  assertEquals(certificate.dnsNames, ["a.example", "*.b.example"]);
  assertEquals(certificate.alternativeNames, [
    "DNS:A.Example",
    "DNS:*.b.example",
    "IP:192.0.2.1",
    "IP:2001:db8::1",
    "URI:urn:x:y",
  ]);
  assertEquals(certificate.subject, "CN=a.example,O=Example");
  assertEquals(certificate.issuer, "CN=R\\c3\\b6ot\\, Inc.");
  // UTCTime and, from 2050 on, GeneralizedTime.
  assertEquals(certificate.notBefore, notBefore.getTime());
  assertEquals(certificate.notAfter, notAfter.getTime());
  assert(/^[0-9a-f]{32}$/.test(certificate.serialNumber));
  assert(/^[0-9a-f]{64}$/.test(certificate.fingerprint));
  assert(!certificate.isAuthority);
  assert(readCertificates(ca.cert)[0]!.isAuthority);
});

Deno.test("a name can't pose as two, nor break out of a header field", async () => {
  const certificate = await parsed({
    commonName: 'x",O=Evil\r\nX-Client-Cert-Verify: SUCCESS',
    names: ["a.example, DNS:b.example", "c\r\nd", "e%2c"],
  });
  assertEquals(
    certificate.subject,
    'CN=x\\"\\,O\\=Evil\\0d\\0aX-Client-Cert-Verify: SUCCESS',
  );
  assertEquals(certificate.alternativeNames, [
    "DNS:a.example%2c%20DNS:b.example",
    "DNS:c%0d%0ad",
    "DNS:e%252c",
  ]);
});

Deno.test("parseCertificate throws nothing but DerError for any bytes", async () => {
  const { cert } = await ca.issue({ names: ["a.example"], ips: ["10.0.0.1"] });
  const good = pemBlocks(cert)[0]!.bytes;
  const attempt = (bytes: Uint8Array) => {
    try {
      parseCertificate(bytes);
    } catch (thrown) {
      assert(thrown instanceof DerError, `${thrown}`);
    }
  };
  for (let length = 0; length < good.length; length++) {
    attempt(good.subarray(0, length));
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt));
  const places = fc.nat(good.length - 1);
  fc.assert(
    fc.property(places, fc.nat(255), places, fc.nat(255), (i, a, j, b) => {
      const changed = good.slice();
      changed[i] = a;
      changed[j] = b;
      attempt(changed);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("checkPair takes a pair, also with a chain behind it and comments between", async () => {
  const below = await ca.below("Below");
  const { cert, key } = await below.issue({ names: ["a.example"] });
  const pair = checkPair({
    cert: `subject: a\n${cert}\nand who signed it:\n${below.cert}`,
    key:
      `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${key}`,
  });
  assertEquals(pair.certificate.issuer, "CN=Below");
});

Deno.test("checkPair takes keys as openssl writes them: PKCS#1, SEC1, Ed25519", async () => {
  for (const [args, subject] of KEYS) {
    const made = await openssl(args);
    if (made === undefined) return;
    assertEquals(checkPair(made).certificate.subject, subject);
  }
});

Deno.test("checkPair says which file is wrong, and how", async () => {
  const good = await ca.issue({ names: ["a.example"] });
  const other = await ca.issue({ names: ["a.example"] });
  const refusals: [string, { cert: string; key: string }, string, RegExp][] = [
    ["no PEM", { ...good, cert: "garbage" }, "cert", /BEGIN CERTIFICATE/],
    ["a key instead", { ...good, cert: good.key }, "cert", /BEGIN CERTIFICATE/],
    [
      "cut off",
      {
        ...good,
        cert: good.cert.replace(/^(-.*\n.*\n)[^]*(?=-----END)/, "$1"),
      },
      "cert",
      /can't be read/,
    ],
    ["an authority", ca, "cert", /CA:TRUE/],
    ["no key", { ...good, key: good.cert }, "key", /BEGIN PRIVATE KEY/],
    ["another key", { ...good, key: other.key }, "key", /is another one/],
    [
      "an encrypted key",
      {
        ...good,
        key: good.key.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
      },
      "key",
      /without a passphrase/,
    ],
    [
      "a broken key",
      { ...good, key: good.key.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA") },
      "key",
      /can't be read/,
    ],
  ];
  for (const [what, pair, file, message] of refusals) {
    const error = assertThrows(() => checkPair(pair), CertificateError);
    assertEquals([what, error.file], [what, file]);
    assert(message.test(error.message), `${what}: ${error.message}`);
  }
});

Deno.test("readCertificates tells which of several can't be read, also where it is no base64", async () => {
  const { cert } = await ca.issue({ names: ["a.example"] });
  for (const damage of ["", "%%%%"]) {
    const broken = cert.replace(/\n.{20}/, `\n${damage}`);
    assertThrows(
      () => readCertificates(cert + broken + ca.cert),
      CertificateError,
      "number 2 can't be read",
    );
  }
});

/** `openssl req` arguments, and the subject that they make. */
const KEYS: readonly (readonly [readonly string[], string])[] = [
  [["rsa:2048"], "CN=rsa:2048"],
  [["ed25519"], "CN=ed25519"],
  [["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "CN=ec"],
];

/** A pair that openssl makes; undefined, and said so, where it is missing. */
async function openssl(
  args: readonly string[],
): Promise<{ cert: string; key: string } | undefined> {
  const folder = await Deno.makeTempDir();
  try {
    const { success } = await new Deno.Command("openssl", {
      args: [
        ...["req", "-x509", "-nodes", "-days", "1", "-newkey", ...args],
        ...["-subj", `/CN=${args[0]}`, "-keyout", `${folder}/key`],
        ...["-addext", "basicConstraints=critical,CA:FALSE"],
        ...["-out", `${folder}/cert`],
      ],
      stdout: "null",
      stderr: "null",
    }).output();
    assert(success, `openssl ${args.join(" ")}`);
    return {
      cert: await Deno.readTextFile(`${folder}/cert`),
      key: await Deno.readTextFile(`${folder}/key`),
    };
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    console.warn("Skipped: openssl is not installed");
    return undefined;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
