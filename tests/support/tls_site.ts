/**
 * Certificates in a folder, and what tests of TLS listeners serve.
 *
 * @module
 */
import { type Authority, makeAuthority } from "./certificates.ts";
import { writePairs } from "./certificate_files.ts";
import { handlersPlugin } from "./inline_plugin.ts";

/** `products` of a proxy that answers `hello` itself. */
export const HELLO = [{
  name: "p",
  default: true,
  rules: [{ respond: { status: 200, body: "hello\n" } }],
}];

/** A plugin that wants to see handshakes: its listener runs on `node:tls`. */
export const READS_TLS = handlersPlugin("reads-tls", { handshake: () => {} });

/** Both ways of serving: what a client sees must not differ. With one certificate each. */
export const RUNTIMES: readonly {
  readonly name: string;
  readonly plugins: readonly object[];
}[] = [
  { name: "listenTls", plugins: [] },
  { name: "node:tls", plugins: [READS_TLS] },
];

/** An authority and three certificates in a folder of their own. */
export interface TlsSite extends AsyncDisposable {
  readonly ca: Authority;
  /** Holds `ca.crt`, and each pair as `NAME.crt` and `NAME.key`. */
  readonly folder: string;
  /** For the config: one for all names. */
  readonly single: readonly { cert: string; key: string }[];
  /** For the config: `default` (default.test and 127.0.0.1), `exact` (exact.w.test), `wild` (*.w.test). */
  readonly certificates: readonly { cert: string; key: string }[];
}

/** Makes it. */
export async function tlsSite(): Promise<TlsSite> {
  const ca = await makeAuthority();
  const folder = await Deno.makeTempDir({ prefix: "headrace-tls-" });
  const certificates = await writePairs(folder, {
    default: await ca.issue({
      commonName: "default",
      names: ["default.test"],
      ips: ["127.0.0.1"],
    }),
    exact: await ca.issue({ commonName: "exact", names: ["exact.w.test"] }),
    wild: await ca.issue({ commonName: "wild", names: ["*.w.test"] }),
  });
  const single = await writePairs(folder, {
    single: await ca.issue({
      commonName: "single",
      names: ["default.test", "exact.w.test", "*.w.test"],
      ips: ["127.0.0.1"],
    }),
  });
  await Deno.writeTextFile(`${folder}/ca.crt`, ca.cert);
  return {
    ca,
    folder,
    certificates,
    single,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
