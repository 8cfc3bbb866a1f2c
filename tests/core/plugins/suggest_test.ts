import { didYouMean } from "../../../core/plugins/suggest.ts";
import { assertEquals } from "../../support/assert.ts";

const NAMES = ["accept", "handshake", "readResponse", "readResponseHeader"];

Deno.test("didYouMean names the nearest", () => {
  const meant = (name: string) => `; did you mean "${name}"?`;
  assertEquals(didYouMean("acept", NAMES), meant("accept"));
  assertEquals(didYouMean("READRESPONSE", NAMES), meant("readResponse"));
  assertEquals(
    didYouMean("readResponseHeadr", NAMES),
    meant("readResponseHeader"),
  );
});

Deno.test("didYouMean stays silent where nothing is near", () => {
  assertEquals(didYouMean("x", NAMES), "");
  assertEquals(didYouMean("valves", NAMES), "");
  assertEquals(didYouMean("anything", []), "");
});
