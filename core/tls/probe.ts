/**
 * Whether this Deno's `node:tls` does what listeners need of it: found out once,
 * before a listener relies on it. Deno 2.4.2's does not end a handshake over a
 * connection that it is given, and asks no client for a certificate.
 *
 * @module
 */
import * as tls from "node:tls";
import { asProxyError } from "../errors.ts";
import { createPipe } from "../net/pipe.ts";
import type { CertificateSet } from "./certificate_set.ts";
import { Ciphertext } from "./ciphertext.ts";
import { nodeTlsWorks } from "./node_tls_client.ts";
import { NodeTermination } from "./node_termination.ts";
import type { HandshakeOptions } from "./termination.ts";

/** A probe's handshakes may take so long, in milliseconds; they take about 10. */
const PROBE_TIME = 5_000;

/** What is wrong with it; undefined for nothing. The certificates are anybody's that work. */
export async function probeNodeTls(
  certificates: CertificateSet,
  deadlines: HandshakeOptions["deadlines"],
): Promise<string | undefined> {
  // Without them a handshake would but hang, and leave a broken stream behind.
  if (!nodeTlsWorks()) return "it has no contexts of its own";
  const plain = await shake(certificates, false, deadlines);
  if (plain !== undefined) return `a handshake failed: ${plain}`;
  const asked = await shake(certificates, true, deadlines);
  return asked === "client_cert_missing"
    ? undefined
    : `a client without the certificate that is required came to ${
      asked ?? "its end"
    }`;
}

/** A handshake of a client without a certificate: undefined for a good one, else how it failed. */
async function shake(
  certificates: CertificateSet,
  require: boolean,
  deadlines: HandshakeOptions["deadlines"],
): Promise<string | undefined> {
  const termination = new NodeTermination({
    reason: "probe",
    certificates,
    alpn: [],
    strictSni: false,
    verifyHost: false,
    speaksHttp: false,
    clientAuth: require
      ? { ca: certificates.default.cert, mode: "require" }
      : undefined,
  });
  const [near, far] = createPipe();
  const client = tls.connect({
    socket: new Ciphertext(near),
    servername: "probe.test",
    // Whoever is asked is in this process.
    rejectUnauthorized: false,
  });
  client.on("error", () => {});
  const closes: Promise<void>[] = [];
  try {
    const { conn, tls: facts } = await termination.handshake(far, {
      timeout: PROBE_TIME,
      deadlines,
      abortable: () => {},
      outlives: (work) => closes.push(work),
    });
    conn.close();
    return facts.serverName === "probe.test" && facts.version !== undefined
      ? undefined
      : "it does not tell name and version";
  } catch (thrown) {
    return asProxyError(thrown).code;
  } finally {
    await Promise.all(closes);
    client.destroy();
    near.close();
  }
}
