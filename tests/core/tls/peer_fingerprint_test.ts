import { X509Certificate } from "node:crypto";
import {
  peerFingerprint,
  tellsPeers,
} from "../../../core/tls/peer_fingerprint.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { makeAuthority } from "../../support/certificates.ts";
import { echo, serveTcpBackend } from "../../support/tcp_backend.ts";

Deno.test("peerFingerprint() tells the certificate of startTls's peer: this fails once Deno hides it elsewhere", async () => {
  const authority = await makeAuthority();
  const identity = await authority.issue({ names: ["api.test"] });
  await using server = serveTcpBackend(echo, { identity });
  const conn = await Deno.startTls(
    await Deno.connect({ hostname: "127.0.0.1", port: server.port }),
    { hostname: "api.test", caCerts: [authority.cert] },
  );
  await conn.handshake();
  assertEquals(
    peerFingerprint(conn),
    new X509Certificate(identity.cert).fingerprint256,
  );
  assert(tellsPeers());
  conn.close();
});
