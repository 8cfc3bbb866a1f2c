/**
 * What Deno does that the choice between its TLS implementations rests on: a
 * test that fails here says that the choice can be made anew.
 *
 * @module
 */
import { assertEquals, assertRejects } from "../../support/assert.ts";
import { type Identity, makeAuthority } from "../../support/certificates.ts";
import { splittingRelay } from "../../support/splitting_relay.ts";
import { connectTls } from "../../support/tls_client.ts";

const ca = await makeAuthority();
const pair = await ca.issue({ names: ["a.test"], ips: ["127.0.0.1"] });

/** A listener with the hidden resolver that serves `pair` to everybody. */
function resolvingListener(asked: string[]): Deno.TlsListener {
  const options = {
    hostname: "127.0.0.1",
    port: 0,
    [Symbol.for("unstableSniResolver")]: (name: string): Promise<Identity> => {
      asked.push(name);
      return Promise.resolve(pair);
    },
  };
  return Deno.listenTls(
    options as unknown as Deno.ListenTlsOptions & Deno.TlsCertifiedKeyPem,
  );
}

/** Accepts so many connections; why each handshake failed, undefined where it did not. */
async function outcomes(
  listener: Deno.TlsListener,
  count: number,
): Promise<(string | undefined)[]> {
  const results: (string | undefined)[] = [];
  for (let i = 0; i < count; i++) {
    const conn = await listener.accept();
    try {
      await conn.handshake();
      results.push(undefined);
    } catch (thrown) {
      results.push((thrown as Error).name);
    }
    conn.close();
  }
  return results;
}

Deno.test("Deno's SNI resolver is asked once per name, and refuses a hello that comes in two pieces", async () => {
  const asked: string[] = [];
  using listener = resolvingListener(asked);
  const { port } = listener.addr as Deno.NetAddr;
  const results = outcomes(listener, 3);
  for (let i = 0; i < 2; i++) {
    using _whole = await connectTls(port, { ca: ca.cert, name: "a.test" });
  }
  assertEquals(asked, ["a.test"]);
  await using relay = splittingRelay(port, 100);
  // When this connects, several certificates need no `node:tls` any more.
  await assertRejects(() =>
    connectTls(relay.port, { ca: ca.cert, name: "a.test" })
  );
  assertEquals(await results, [undefined, undefined, "WouldBlock"]);
});

Deno.test("Deno's TLS listener holds a connection within its handshake, closed or not", async () => {
  using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...pair });
  const { port } = listener.addr as Deno.NetAddr;
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  const conn = await listener.accept();
  const shaking = conn.handshake().catch(() => "canceled");
  conn.close();
  assertEquals(await shaking, "canceled");
  // When the end comes, handshakes that are given up need not be counted.
  let timer: ReturnType<typeof setTimeout> | undefined;
  const outcome = await Promise.race([
    client.read(new Uint8Array(1)).catch(() => "closed here"),
    new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve("held"), 200);
    }),
  ]);
  clearTimeout(timer);
  assertEquals(outcome, "held");
});
