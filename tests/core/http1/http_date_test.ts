import { DateLine } from "../../../core/http1/http_date.ts";
import { decodeLatin1 } from "../../../core/http1/text.ts";
import { assert, assertEquals } from "../../support/assert.ts";

Deno.test("DateLine.bytes() is the IMF-fixdate of the second", () => {
  const line = new DateLine();
  const bytes = line.bytes(Date.UTC(1994, 10, 6, 8, 49, 37, 999));
  assertEquals(
    decodeLatin1(bytes, 0, bytes.length),
    "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
  );
});

Deno.test("DateLine.bytes() is made anew once a second", () => {
  const line = new DateLine();
  const one = line.bytes(5_000);
  assert(line.bytes(5_999) === one);
  assert(line.bytes(6_000) !== one);
  assert(line.bytes(5_000) !== one);
});
