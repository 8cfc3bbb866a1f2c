/** Which configs are refused where the runtime's `node:tls` is not to be relied on. */
import { RefusedError } from "../../../core/data_plane/control.ts";
import { NodeTls } from "../../../core/data_plane/node_tls.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import type { ListenerRuntime } from "../../../core/snapshot/snapshot.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

/** One whose probe finds this; how often it was tried. */
function setUp(problem: string | undefined) {
  const t = { probes: 0 };
  const tls = new NodeTls(new Deadlines(new FakeClock()), () => {
    t.probes++;
    return Promise.resolve(problem);
  });
  return Object.assign(t, { tls });
}

function listener(name: string, runtime?: string): ListenerRuntime {
  const tls = runtime && { runtime, reason: "strictSni", certificates: {} };
  return { name, tls } as unknown as ListenerRuntime;
}

Deno.test("NodeTls: is not tried where no listener needs it", async () => {
  const t = setUp("broken");
  await t.tls.check([listener("plain"), listener("own", "listenTls")]);
  assertEquals(t.probes, 0);
});

Deno.test("NodeTls: is tried once, and every listener that needs it is named", async () => {
  const t = setUp("a handshake failed");
  const needs = [
    listener("a", "node:tls"),
    listener("own", "listenTls"),
    listener("b", "node:tls"),
  ];
  for (let i = 0; i < 2; i++) {
    const refused = await assertRejects(() => t.tls.check(needs), RefusedError);
    const [a, b, ...more] = refused.problems;
    assert(
      a!.startsWith('listeners "a" tls: node:tls is needed for strictSni'),
    );
    assert(a!.endsWith("does not do it right: a handshake failed"));
    assert(b!.startsWith('listeners "b" tls:'));
    assertEquals(more, []);
  }
  assertEquals(t.probes, 1);
});

Deno.test("NodeTls: nobody is refused where it works", async () => {
  const t = setUp(undefined);
  await t.tls.check([listener("a", "node:tls")]);
  assertEquals(t.probes, 1);
});
