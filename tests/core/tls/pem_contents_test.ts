import { generateKeyPairSync, X509Certificate } from "node:crypto";
import {
  parseCertificates,
  parsePrivateKey,
} from "../../../core/tls/pem_contents.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { makeAuthority } from "../../support/certificates.ts";

const authority = await makeAuthority();
const { cert, key } = await authority.issue({ names: ["a.test"] });

Deno.test("parseCertificates() finds all certificates, whatever stands between them", () => {
  const subjects = parseCertificates(
    `# a comment\n${cert}\n${key}${authority.cert}`,
  ).map(({ subject }) => subject);
  assertEquals(subjects, ["CN=a.test", "CN=Test CA"]);
});

Deno.test("parseCertificates() refuses what holds none, or a broken one", () => {
  const refused = (pem: string, message: string) =>
    assertThrows(() => parseCertificates(pem), SyntaxError, message);
  refused("", "expected a PEM file with a certificate");
  refused(key, "expected a PEM file with a certificate");
  const broken = cert.replace(/\n.{20}/, "\n");
  refused(authority.cert + broken, "number 2 is broken");
});

Deno.test("parsePrivateKey() reads PKCS#8, SEC1 and PKCS#1", () => {
  const read = parsePrivateKey(key);
  assert(new X509Certificate(cert).checkPrivateKey(read));
  const sec1 = String(read.export({ type: "sec1", format: "pem" }));
  assert(new X509Certificate(cert).checkPrivateKey(parsePrivateKey(sec1)));
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const pkcs1 = String(rsa.export({ type: "pkcs1", format: "pem" }));
  assertEquals(parsePrivateKey(pkcs1).asymmetricKeyType, "rsa");
});

Deno.test("parsePrivateKey() refuses what is none, or encrypted", () => {
  const refused = (pem: string, message: string) =>
    assertThrows(() => parsePrivateKey(pem), SyntaxError, message);
  refused("", "expected a PEM file with a private key");
  refused(cert, "expected a PEM file with a private key");
  refused(
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    "not encrypted",
  );
  refused(
    "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n",
    "not encrypted",
  );
});
