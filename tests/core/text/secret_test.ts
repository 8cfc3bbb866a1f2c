import { Secret } from "../../../core/text/secret.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("Secret: the same text and no other, whatever its length", () => {
  const secret = new Secret("s3cret");
  for (const given of ["", "s", "s3cre", "s3crets", "S3cret", "s3cret "]) {
    assertEquals([given, secret.is(given)], [given, false]);
  }
  assertEquals(secret.is("s3cret"), true);
});

Deno.test("Secret: a header's characters are the bytes of the secret", () => {
  const secret = new Secret("gehéim");
  assertEquals(secret.is("geh\xc3\xa9im"), true);
  assertEquals(secret.is("gehéim"), false);
});
