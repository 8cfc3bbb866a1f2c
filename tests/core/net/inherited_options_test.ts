import {
  inheritanceProblem,
  type InheritedOptions,
  inheritOptions,
} from "../../../core/net/inherited_options.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { isKeptAlive, portsOf } from "../../support/kept_alive.ts";
import { median } from "../../support/median.ts";

const BOTH: InheritedOptions = { noDelay: true, keepAlive: true };

/** A connection of a listener, from both of its ends. */
async function connection(listener: Deno.TcpListener) {
  const { hostname, port } = listener.addr as Deno.NetAddr;
  const client = await Deno.connect({ hostname, port });
  const server = await listener.accept();
  return {
    client,
    server,
    [Symbol.dispose]() {
      client.close();
      server.close();
    },
  };
}

function listen(hostname = "127.0.0.1"): Deno.TcpListener {
  return Deno.listen({ hostname, port: 0, reusePort: true });
}

function at(listener: Deno.TcpListener): Deno.NetAddr {
  return listener.addr as Deno.NetAddr;
}

/** Milliseconds until a client that waits for two pieces has both, at the median of many times. */
async function waitForTwo(listener: Deno.TcpListener): Promise<number> {
  using both = await connection(listener);
  const { client, server } = both;
  const buffer = new Uint8Array(2);
  const waits: number[] = [];
  for (let i = 0; i < 25; i++) {
    const began = performance.now();
    await server.write(buffer.subarray(0, 1));
    await server.write(buffer.subarray(1));
    for (let got = 0; got < 2;) got += (await client.read(buffer))!;
    waits.push(performance.now() - began);
  }
  return median(waits);
}

Deno.test("inheritanceProblem: none here", {
  ignore: Deno.build.os !== "linux",
}, () => {
  assertEquals(inheritanceProblem(), undefined);
});

Deno.test("inheritOptions: TCP_NODELAY, so that no piece waits for an acknowledgement", async () => {
  for (const hostname of ["127.0.0.1", "::1", "0.0.0.0", "::"]) {
    using listener = listen(hostname);
    inheritOptions([[at(listener), { noDelay: true, keepAlive: false }]]);
    const wait = await waitForTwo(listener);
    assert(wait < 10, `${hostname}: ${wait} ms`);
  }
});

Deno.test("inheritOptions: SO_KEEPALIVE, where it is wanted", async () => {
  for (const keepAlive of [false, true]) {
    using listener = listen();
    inheritOptions([[at(listener), { noDelay: true, keepAlive }]]);
    using both = await connection(listener);
    assertEquals(await isKeptAlive(portsOf(both.server)), keepAlive);
  }
});

Deno.test("inheritOptions: each socket of those that share an address, and no other", async () => {
  const first = listen();
  const { hostname, port } = at(first);
  using second = Deno.listen({ hostname, port, reusePort: true });
  using other = Deno.listen({ hostname: "127.0.0.2", port, reusePort: true });
  inheritOptions([[at(first), BOTH]]);
  // Only the second is left to take a connection.
  first.close();
  for (
    const [listener, expected] of [[second, true], [other, false]] as const
  ) {
    using both = await connection(listener);
    assertEquals(await isKeptAlive(portsOf(both.server)), expected);
  }
});

Deno.test("inheritOptions: throws where nobody listens", () => {
  const listener = listen();
  const address = at(listener);
  listener.close();
  assertThrows(
    () => inheritOptions([[address, BOTH]]),
    Error,
    "No socket listens",
  );
});
