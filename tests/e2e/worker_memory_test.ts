/** A worker whose heap is full, in a process with little of it. */
import { assert, assertEquals } from "../support/assert.ts";
import { clientOnEach } from "../support/client_on_each.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { startHeadrace } from "../support/headrace_process.ts";

/** Says which worker answers, and keeps all that it can where it is asked to. */
const GREEDY = dataPlugin(`export default {
  name: "greedy",
  setup: () => ({
    handlers: {
      foundProduct: ({ path }) => {
        if (path !== "/fill") return;
        const kept = [];
        setInterval(() => {
          for (let i = 0; i < 2_000; i++) kept.push(new Array(1_000).fill(i));
        });
      },
      readResponse: (_, { headers }) => headers.set("x-worker", self.name),
    },
  }),
};`);

Deno.test("a worker whose heap is full is restarted, the process and the other one go on", async () => {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const [web = 0, admin = 0] = freePorts(2);
  const path = `${folder}/proxy.yaml`;
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      listeners: [{ name: "web", address: `127.0.0.1:${web}` }],
      products: [{
        name: "all",
        default: true,
        rules: [{ respond: { status: 200, body: "ok" } }],
      }],
      plugins: [{ use: GREEDY }],
      admin: { address: `127.0.0.1:${admin}` },
      workers: 2,
    }),
  );
  try {
    await using headrace = startHeadrace(["--config", path], {
      denoOptions: ["--v8-flags=--max-old-space-size=160"],
    });
    await headrace.wrote("Headrace serves");
    using both = await clientOnEach(web);
    const [other, greedy] = both.clients;
    assertEquals((await greedy.get("/fill")).text, "ok");
    let served = 0;
    await eventually("the loss", async () => {
      assertEquals((await other.get()).headers.get("x-worker"), "headrace-0");
      served++;
      return headrace.stderr.includes("heap out of memory");
    }, 30_000);
    assert(served > 0);
    using again = await clientOnEach(web);
    assertEquals((await again.clients[1].get()).text, "ok");
    assertEquals((await other.get()).text, "ok");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
