/**
 * Primitives on the TLS handshake of the request's connection. A listener whose
 * rules use one runs where the runtime tells what it asks for: `Deno.listenTls`
 * tells ALPN and no more.
 *
 * @module
 */
import { canonicalHost } from "../net/host_name.ts";
import { list, parseHost } from "./parameter.ts";
import { definePrimitive, type Primitive } from "./primitive.ts";
import { matchIn } from "./text_match.ts";

/** All of them; false where the connection has no TLS. */
export function tlsPrimitives(): readonly Primitive[] {
  return [
    definePrimitive({
      name: "ses_tls_sni_in",
      parameters: [list("hosts", parseHost)],
      description:
        "the TLS handshake asked for one of these names, whatever its case",
      make: ([hosts]) => {
        const test = matchIn(hosts, false);
        return ({ session: { tls } }) =>
          tls?.serverName !== undefined && test(canonicalHost(tls.serverName));
      },
    }),
    definePrimitive({
      name: "ses_tls_client_auth",
      parameters: [],
      description: "the client showed a certificate that was verified",
      make: () => ({ session: { tls } }) =>
        tls?.clientCertificate !== undefined,
    }),
    definePrimitive({
      name: "ses_tls_client_ca_in",
      parameters: [list("names", String)],
      description:
        'the client\'s verified certificate was signed by one of these, written as "CN=Staff,O=Example"',
      make: ([names]) => {
        const test = matchIn(names, false);
        return ({ session: { tls } }) =>
          tls?.clientCertificate !== undefined &&
          test(tls.clientCertificate.issuer);
      },
    }),
  ];
}

/** Their names. */
export const TLS_PRIMITIVES: ReadonlySet<string> = new Set(
  tlsPrimitives().map(({ name }) => name),
);
