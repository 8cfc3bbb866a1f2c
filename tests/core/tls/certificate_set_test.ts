import { checkPair } from "../../../core/tls/certificate_pair.ts";
import { CertificateSet, covers } from "../../../core/tls/certificate_set.ts";
import { assertEquals, assertNotEquals } from "../../support/assert.ts";
import { makeAuthority } from "../../support/certificates.ts";

const ca = await makeAuthority();

async function pair(...names: string[]) {
  return checkPair(await ca.issue({ commonName: names[0] ?? "none", names }));
}

const first = await pair("first.test", "127.0.0.1");
const exact = await pair("a.w.test");
const wild = await pair("*.w.test", "w.test");
const again = await pair("a.w.test", "first.test");
const set = new CertificateSet([first, wild, exact, again]);

Deno.test("CertificateSet.find: exact, then the wildcard of one label, else none", () => {
  const found = (name: string) => set.find(name)?.certificate.dnsNames[0];
  assertEquals(found("a.w.test"), "a.w.test");
  assertEquals(found("A.W.Test."), "a.w.test");
  assertEquals(found("b.w.test"), "*.w.test");
  assertEquals(found("w.test"), "*.w.test");
  assertEquals(found("a.b.w.test"), undefined);
  assertEquals(found("test"), undefined);
  assertEquals(found(""), undefined);
  assertEquals(set.default, first);
});

Deno.test("CertificateSet: of two certificates for a name the first is taken", () => {
  assertEquals(set.find("a.w.test"), exact);
  assertEquals(set.find("first.test"), first);
});

Deno.test("CertificateSet.fingerprint tells sets apart, by what clients get", () => {
  const same = new CertificateSet([first, wild, exact, again]);
  assertEquals(same.fingerprint, set.fingerprint);
  for (const pairs of [[first], [wild, first, exact, again]]) {
    assertNotEquals(new CertificateSet(pairs).fingerprint, set.fingerprint);
  }
  const chained = { ...first, cert: first.cert + ca.cert };
  assertNotEquals(
    new CertificateSet([chained]).fingerprint,
    new CertificateSet([first]).fingerprint,
  );
});

Deno.test("covers: names, wildcards of one label, addresses", () => {
  assertEquals(covers(first.certificate, "first.test"), true);
  assertEquals(covers(first.certificate, "127.0.0.1"), true);
  assertEquals(covers(first.certificate, "127.0.0.2"), false);
  assertEquals(covers(wild.certificate, "x.w.test"), true);
  assertEquals(covers(wild.certificate, "x.y.w.test"), false);
  assertEquals(covers(wild.certificate, ""), false);
  assertEquals(covers(exact.certificate, "b.w.test"), false);
});
