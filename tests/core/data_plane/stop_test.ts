/** What a plane that is stopped waits for. */
import { assertEquals } from "../../support/assert.ts";
import { partsPlugin } from "../../support/inline_plugin.ts";
import { RawClient } from "../../support/raw_client.ts";
import { startPlane } from "../../support/plane.ts";
import { serveTcpBackend } from "../../support/tcp_backend.ts";

Deno.test("a stop ends plugins that a request was still at, whose session it cuts", async () => {
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  await using backend = serveTcpBackend(async (conn) => {
    await conn.read(new Uint8Array(1));
    asked.resolve();
    await release.promise;
  });
  const told: string[] = [];
  const plane = await startPlane({
    backends: [`http://127.0.0.1:${backend.port}`],
    plugins: [partsPlugin("witness", {
      handlers: { transactionClose: () => void told.push("transaction") },
      close: async () => {
        // As what tells another machine does.
        await new Promise((resolve) => setTimeout(resolve, 5));
        told.push("plugin");
      },
    })],
  });
  const client = await RawClient.connect(plane.port);
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await asked.promise;
  await plane[Symbol.asyncDispose]();
  const toldByThen = [...told];
  release.resolve();
  client.close();
  await client.closed();
  assertEquals(toldByThen, ["transaction", "plugin"]);
});
