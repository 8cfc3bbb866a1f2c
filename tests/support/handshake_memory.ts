/**
 * Does handshakes that fail, and prints by how many bytes the heap has grown
 * with each of them. Needs `--v8-flags=--expose-gc`.
 *
 * @module
 */
import { CertificateSet } from "../../core/tls/certificate_set.ts";
import { checkPair } from "../../core/tls/certificate_pair.ts";
import { NodeTermination } from "../../core/tls/node_termination.ts";
import { Deadlines } from "../../core/net/deadlines.ts";
import { createPipe } from "../../core/net/pipe.ts";
import { makeAuthority } from "./certificates.ts";
import { realClientHello } from "./client_hello_bytes.ts";
import { bytesOf } from "./byte_streams.ts";
import { FakeClock } from "./clock.ts";

/** Handshakes of each kind. */
const COUNT = 200;

const { gc } = globalThis as unknown as { readonly gc: () => void };
const ca = await makeAuthority();
const pair = checkPair(await ca.issue({ names: ["a.test"] }));
const termination = new NodeTermination({
  reason: "test",
  certificates: new CertificateSet([pair]),
  alpn: [],
  strictSni: false,
  verifyHost: false,
  speaksHttp: true,
  clientAuth: undefined,
});
const deadlines = new Deadlines(new FakeClock());
const hello = await realClientHello("a.test");
const kinds = [
  new Uint8Array(0),
  bytesOf("GET / HTTP/1.1\r\n\r\n"),
  hello.subarray(0, 100),
  hello,
];

/** A client that says so much and leaves. */
async function fail(bytes: Uint8Array): Promise<void> {
  const [client, server] = createPipe();
  await client.write(bytes);
  await client.closeWrite();
  await termination.handshake(server, {
    timeout: 1_000,
    deadlines,
    abortable: () => {},
    outlives: () => {},
  }).then(() => {
    throw new Error("It did not fail");
  }, () => {});
  client.close();
}

async function heapAfter(rounds: number): Promise<number> {
  for (let i = 0; i < rounds; i++) {
    for (const bytes of kinds) await fail(bytes);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  gc();
  return Deno.memoryUsage().heapUsed;
}

const before = await heapAfter(50);
const after = await heapAfter(COUNT);
console.log(Math.round((after - before) / (COUNT * kinds.length)));
