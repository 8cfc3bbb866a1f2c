import { frontendId } from "../../../core/listener/frontend.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("frontendId writes an address as wsbalancer does", () => {
  for (
    const [address, id] of [
      ["127.0.0.1:9080", "127-0-0-1-9080"],
      // Go's `:8080` and this are the same address.
      ["[::]:8080", "-8080"],
      ["[2001:db8::1]:80", "-2001-db8-1-80"],
      ["/run/headrace.sock", "-run-headrace-sock"],
    ] as const
  ) assertEquals(frontendId(address), id);
});
