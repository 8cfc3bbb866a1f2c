import { TcpListener } from "../../../core/listener/tcp_listener.ts";
import type { InheritedOptions } from "../../../core/net/inherited_options.ts";
import { assertEquals } from "../../support/assert.ts";
import { isKeptAlive, portsOf } from "../../support/kept_alive.ts";

const BOTH: InheritedOptions = { noDelay: true, keepAlive: true };
const NEITHER: InheritedOptions = { noDelay: false, keepAlive: false };

function listen(): TcpListener {
  return new TcpListener({ hostname: "127.0.0.1", port: 0 });
}

/** Whether a connection has SO_KEEPALIVE, and how often its options were set one by one. */
async function connect(listener: TcpListener, wanted: InheritedOptions) {
  const { hostname, port } = listener.addr;
  using _client = await Deno.connect({ hostname, port });
  using conn = await listener.accept();
  let sets = 0;
  for (const name of ["setNoDelay", "setKeepAlive"] as const) {
    Object.defineProperty(conn, name, {
      value(on: boolean) {
        sets++;
        Object.getPrototypeOf(conn)[name].call(conn, on);
      },
    });
  }
  listener.setOptions(conn, wanted);
  return { kept: await isKeptAlive(portsOf(conn)), sets };
}

Deno.test("TcpListener: connections inherit their options; once others are wanted each gets them by itself", async () => {
  using listener = listen();
  TcpListener.passOn([[listener, BOTH]]);
  assertEquals(await connect(listener, BOTH), { kept: true, sets: 0 });
  assertEquals(await connect(listener, NEITHER), { kept: false, sets: 2 });
  assertEquals(await connect(listener, BOTH), { kept: true, sets: 2 });
});

Deno.test("TcpListener: a worker's later socket at the same address does not change what connections get", async () => {
  using first = listen();
  TcpListener.passOn([[first, NEITHER]]);
  assertEquals(await connect(first, BOTH), { kept: true, sets: 2 });
  const { hostname, port } = first.addr;
  const later = new TcpListener({ hostname, port });
  TcpListener.passOn([[later, BOTH]]);
  later.close();
  assertEquals(await connect(first, NEITHER), { kept: false, sets: 2 });
});

Deno.test("TcpListener.optionsChanged: what changed while nobody connected is not forgotten", async () => {
  using first = listen();
  TcpListener.passOn([[first, BOTH]]);
  first.optionsChanged(NEITHER);
  const { hostname, port } = first.addr;
  const later = new TcpListener({ hostname, port });
  TcpListener.passOn([[later, NEITHER]]);
  later.close();
  first.optionsChanged(BOTH);
  assertEquals(await connect(first, BOTH), { kept: true, sets: 2 });
});

Deno.test("TcpListener: where nothing is inherited each connection gets what is wanted", async () => {
  using listener = listen();
  assertEquals(await connect(listener, NEITHER), { kept: false, sets: 0 });
  assertEquals(await connect(listener, BOTH), { kept: true, sets: 2 });
});

Deno.test("TcpListener: the client may be gone", async () => {
  using listener = listen();
  const { hostname, port } = listener.addr;
  (await Deno.connect({ hostname, port })).close();
  const conn = await listener.accept();
  conn.close();
  listener.setOptions(conn, BOTH);
});
