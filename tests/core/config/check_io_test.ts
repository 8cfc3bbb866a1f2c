import { ioFindings } from "../../../core/config/check_io.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("io: direct is refused at its place where the runtime has not what it takes", () => {
  const bare = {};
  assertEquals(ioFindings({ io: "direct" }, bare), [{
    path: ["io"],
    value: "direct",
    message:
      "expected standard: this version of Deno has not the operations that it is made of",
  }]);
  assertEquals(ioFindings({ io: "direct" }), []);
  assertEquals(ioFindings({ io: "standard" }, bare), []);
  assertEquals(ioFindings({}, bare), []);
});
