import { parseListenAddress } from "../../../core/net/address.ts";
import {
  inheritedOf,
  type RuntimeLimits,
  tlsRuntimeOf,
} from "../../../core/tls/tls_runtime.ts";
import { assertEquals } from "../../support/assert.ts";

const NOBODY = { plugins: [], primitives: [] };
const SOCKET = { noDelay: true, keepAlive: true, backlog: 1 };
const ABLE = { inheritance: undefined, nodeTls: true };
const ONE = { cert: "a.crt", key: "a.key" };

function config(tls: object = {}, rest: object = {}) {
  return {
    address: parseListenAddress("127.0.0.1:443"),
    proxyProtocol: "none" as const,
    socket: SOCKET,
    tls: {
      certificates: [ONE],
      strictSni: false,
      verifyHost: false,
      alpn: [],
      clientAuth: undefined,
      ...tls,
    },
    ...rest,
  };
}

Deno.test("tlsRuntimeOf: Deno's own listener where nothing needs more", () => {
  assertEquals(tlsRuntimeOf(config(), NOBODY, ABLE)?.runtime, "listenTls");
});

Deno.test("tlsRuntimeOf: node:tls with every reason that there is", () => {
  const rows: [ReturnType<typeof config>, object, string][] = [
    [config({ strictSni: true }), {}, "strictSni"],
    [config({ verifyHost: true }), {}, "verifyHost"],
    [config({ clientAuth: { ca: "x", mode: "request" } }), {}, "clientAuth"],
    [config({ certificates: [ONE, ONE] }), {}, "several certificates"],
    [
      config({}, { proxyProtocol: "accept" }),
      {},
      "a PROXY header before TLS",
    ],
    [
      config({}, { address: parseListenAddress("unix:/x.sock") }),
      {},
      "a unix socket",
    ],
    [config(), { plugins: ["geo"] }, 'the plugin "geo" handles handshake'],
    [
      config(),
      { primitives: ["ses_tls_sni_in"] },
      "a rule uses ses_tls_sni_in",
    ],
    [
      config({ strictSni: true, verifyHost: true }),
      {},
      "strictSni, verifyHost",
    ],
  ];
  for (const [listener, readers, reason] of rows) {
    assertEquals(tlsRuntimeOf(listener, { ...NOBODY, ...readers }, ABLE), {
      runtime: "node:tls",
      reason,
    });
  }
});

Deno.test("tlsRuntimeOf: none without TLS", () => {
  assertEquals(
    tlsRuntimeOf({ ...config(), tls: undefined }, NOBODY, ABLE),
    undefined,
  );
});

Deno.test("tlsRuntimeOf: node:tls where listenTls can't have the options that are wanted", () => {
  const limits: RuntimeLimits = { inheritance: "no FFI", nodeTls: true };
  const rows: [noDelay: boolean, keepAlive: boolean, names: string][] = [
    [true, true, "noDelay and keepAlive"],
    [true, false, "noDelay"],
    [false, true, "keepAlive"],
  ];
  for (const [noDelay, keepAlive, names] of rows) {
    const socket = { ...SOCKET, noDelay, keepAlive };
    assertEquals(tlsRuntimeOf(config({}, { socket }), NOBODY, limits), {
      runtime: "node:tls",
      reason: `socket.${names}, which listenTls can't have here: no FFI`,
    });
    assertEquals(inheritedOf(socket, ABLE), { noDelay, keepAlive });
    assertEquals(inheritedOf(socket, limits), {
      noDelay: false,
      keepAlive: false,
    });
  }
  const socket = { ...SOCKET, noDelay: false, keepAlive: false };
  assertEquals(tlsRuntimeOf(config({}, { socket }), NOBODY, limits), {
    runtime: "listenTls",
    reason: "nothing needs more than the runtime's own",
  });
});

Deno.test("tlsRuntimeOf: listenTls without options where node:tls is no way out", () => {
  const limits: RuntimeLimits = { inheritance: "no FFI", nodeTls: false };
  assertEquals(tlsRuntimeOf(config(), NOBODY, limits), {
    runtime: "listenTls",
    reason:
      "nothing needs more than the runtime's own but socket.noDelay and keepAlive, which listenTls can't have here: no FFI",
  });
});
