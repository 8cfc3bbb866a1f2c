/// <reference lib="webworker" />
/**
 * Connects to a port, again and again until it is connected, and says what came
 * of it: `refused` once, then `served` for a byte or the error's name.
 *
 * @module
 */
self.addEventListener("message", async ({ data }: MessageEvent<number>) => {
  let told = false;
  for (;;) {
    try {
      using conn = await Deno.connect({ port: data });
      await conn.read(new Uint8Array(1));
      self.postMessage("served");
      return;
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.ConnectionRefused)) {
        self.postMessage((thrown as Error).name);
        return;
      }
      if (!told) self.postMessage("refused");
      told = true;
    }
  }
});
