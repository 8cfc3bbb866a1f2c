import { parseListenAddress } from "../../../core/net/address.ts";
import { tlsRuntimeOf } from "../../../core/tls/tls_runtime.ts";
import { assertEquals } from "../../support/assert.ts";

const NOBODY = { plugins: [], primitives: [] };
const ONE = { cert: "a.crt", key: "a.key" };

function config(tls: object = {}, rest: object = {}) {
  return {
    address: parseListenAddress("127.0.0.1:443"),
    proxyProtocol: "none" as const,
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
  assertEquals(tlsRuntimeOf(config(), NOBODY)?.runtime, "listenTls");
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
    assertEquals(tlsRuntimeOf(listener, { ...NOBODY, ...readers }), {
      runtime: "node:tls",
      reason,
    });
  }
});

Deno.test("tlsRuntimeOf: none without TLS", () => {
  assertEquals(
    tlsRuntimeOf({ ...config(), tls: undefined }, NOBODY),
    undefined,
  );
});
