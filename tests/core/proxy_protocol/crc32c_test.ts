import { crc32c } from "../../../core/proxy_protocol/crc32c.ts";
import { assertEquals } from "../../support/assert.ts";
import { bytesOf } from "../../support/byte_streams.ts";

Deno.test("crc32c() of the examples of RFC 3720 appendix B.4, and of the digits", () => {
  const bytes = (make: (i: number) => number) =>
    Uint8Array.from({ length: 32 }, (_, i) => make(i));
  // The RFC prints the bytes as they are sent, the lowest first.
  assertEquals(crc32c(bytes(() => 0)), 0x8a9136aa);
  assertEquals(crc32c(bytes(() => 0xff)), 0x62a8ab43);
  assertEquals(crc32c(bytes((i) => i)), 0x46dd794e);
  assertEquals(crc32c(bytes((i) => 31 - i)), 0x113fdb5c);
  assertEquals(crc32c(bytesOf("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(0)), 0);
});
