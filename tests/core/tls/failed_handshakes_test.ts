/**
 * What handshakes that fail leave behind: nothing.
 *
 * @module
 */
import { assert } from "../../support/assert.ts";

const CHILD = new URL("../../support/handshake_memory.ts", import.meta.url);

Deno.test("NodeTermination: a handshake that fails leaves nothing on the heap", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--frozen", "--no-check", "--v8-flags=--expose-gc"],
      CHILD.href,
    ],
    stderr: "inherit",
  }).output();
  const bytes = Number(new TextDecoder().decode(stdout));
  // A TLSSocket that is not let go of takes 13 KB.
  assert(bytes < 1_000, `${bytes} bytes each`);
});
