/**
 * Client certificates: who comes in, and what handlers and backends are told.
 *
 * @module
 */
import type { ClientCertificate, Failure } from "../../core/plugin.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { writePairs } from "../support/certificate_files.ts";
import { type Identity, makeAuthority } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { openssl, opensslMissing } from "../support/openssl.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveEach } from "../support/scripted_backend.ts";
import { connectTls, hasProgram, run } from "../support/tls_client.ts";
import { HELLO, type TlsSite, tlsSite } from "../support/tls_site.ts";

/** A backend that answers with what it was told of the client's certificate. */
function tellingBackend() {
  return serveEach((connection, request) => {
    const told = [...request.headers].filter(([name]) =>
      /^x.client.cert.|^x[^-]forwarded/.test(name)
    );
    return connection.respond(200, JSON.stringify(Object.fromEntries(told)));
  });
}

/** A proxy that asks for certificates of the site's authority; `next` waits for a session's end. */
async function asking(s: TlsSite, mode: string, parts: object = {}) {
  const ends: (Failure | undefined)[] = [];
  const facts: (ClientCertificate | undefined)[] = [];
  const proxy = await startProxyWith({
    listener: {
      tls: {
        certificates: s.single,
        clientAuth: { ca: `${s.folder}/ca.crt`, mode },
      },
    },
    ...parts,
    plugins: [handlersPlugin("notes", {
      handshake: (session) => {
        facts.push(session.tls?.clientCertificate);
      },
      finish: (session) => {
        ends.push(session.error);
      },
    })],
  });
  return {
    proxy,
    facts,
    async next() {
      await eventually("a session's end", () => ends.length > 0);
      return ends.shift();
    },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** What an ask with a certificate comes to. */
async function ask(port: number, s: TlsSite, pair?: Identity): Promise<string> {
  using client = await connectTls(port, {
    ca: s.ca.cert,
    ...(pair && { pair }),
  });
  return (await client.get()).text;
}

Deno.test("require: a certificate of the authority comes in; the point and the backend are told of it", async () => {
  await using s = await tlsSite();
  await using backend = tellingBackend();
  await using t = await asking(s, "require", { backends: [backend.url] });
  const pair = await s.ca.issue({
    commonName: "Älice, Inc.",
    organisation: "Example",
    names: ["alice.test"],
    ips: ["10.0.0.7"],
    uris: ["spiffe://test/alice"],
    client: true,
  });
  const told = JSON.parse(await ask(t.proxy.port(), s, pair));
  const [fact] = t.facts;
  assert(fact !== undefined);
  assertEquals(fact.subject, "CN=\\c3\\84lice\\, Inc.,O=Example");
  assertEquals(fact.issuer, "CN=Test CA");
  assertEquals(fact.names, [
    "DNS:alice.test",
    "IP:10.0.0.7",
    "URI:spiffe://test/alice",
  ]);
  assert(fact.notBefore < Date.now() && Date.now() < fact.notAfter);
  const der = Uint8Array.from(
    atob(pair.cert.replace(/-----.*-----|\n/g, "")),
    (char) => char.charCodeAt(0),
  );
  const digest = await crypto.subtle.digest("SHA-256", der);
  assertEquals(fact.fingerprint, new Uint8Array(digest).toHex());
  assertEquals(told, {
    "x-client-cert-verify": "SUCCESS",
    "x-client-cert-subject": "CN=\\c3\\84lice\\, Inc.,O=Example",
    "x-client-cert-issuer": "CN=Test CA",
    "x-client-cert-san": "DNS:alice.test,IP:10.0.0.7,URI:spiffe://test/alice",
    "x-client-cert-serial": fact.serialNumber,
    "x-client-cert-fingerprint": fact.fingerprint,
  });
  assertEquals(await t.next(), undefined);
});

Deno.test("require: none, a stranger's, a forged, an expired and a server's are refused", async () => {
  await using s = await tlsSite();
  await using t = await asking(s, "require", { products: HELLO });
  const stranger = await makeAuthority("Other CA");
  // Says the same of its issuer, but signed by another key.
  const forger = await makeAuthority("Test CA");
  const client = { commonName: "alice", client: true } as const;
  const day = 86_400_000;
  const refused: Record<string, Identity> = {
    stranger: await stranger.issue(client),
    forged: await forger.issue(client),
    expired: await s.ca.issue({
      ...client,
      notAfter: new Date(Date.now() - day),
      notBefore: new Date(Date.now() - 2 * day),
    }),
    early: await s.ca.issue({
      ...client,
      notBefore: new Date(Date.now() + day),
    }),
    server: await s.ca.issue({ commonName: "server" }),
    authority: { cert: stranger.cert, key: stranger.key },
  };
  for (const [what, pair] of Object.entries(refused)) {
    await assertRejects(() => ask(t.proxy.port(), s, pair));
    const error = await t.next();
    assertEquals([what, error?.code], [what, "client_cert_refused"]);
  }
  await assertRejects(() => ask(t.proxy.port(), s));
  assertEquals((await t.next())?.code, "client_cert_missing");
  // No handler at handshake got to see any of them.
  assertEquals(t.facts, []);
});

Deno.test("require: a chain over an authority that ours has signed comes in", async () => {
  await using s = await tlsSite();
  await using t = await asking(s, "require", { products: HELLO });
  const below = await s.ca.below("Staff CA");
  const leaf = await below.issue({ commonName: "bob", client: true });
  const chain = { cert: leaf.cert + below.cert, key: leaf.key };
  assertEquals(await ask(t.proxy.port(), s, chain), "hello\n");
  assertEquals(t.facts[0]?.issuer, "CN=Staff CA");
  assertEquals(await t.next(), undefined);
  // The leaf alone does not lead to anybody who is known.
  await assertRejects(() => ask(t.proxy.port(), s, leaf));
  assertEquals((await t.next())?.code, "client_cert_refused");
});

Deno.test("request: a client may come without one, and what it shows must verify", async () => {
  await using s = await tlsSite();
  await using backend = tellingBackend();
  await using t = await asking(s, "request", { backends: [backend.url] });
  const port = t.proxy.port();
  assertEquals(JSON.parse(await ask(port, s)), {
    "x-client-cert-verify": "NONE",
  });
  assertEquals(await t.next(), undefined);
  const alice = await s.ca.issue({ commonName: "alice", client: true });
  const told = JSON.parse(await ask(port, s, alice));
  assertEquals(told["x-client-cert-subject"], "CN=alice");
  assertEquals(await t.next(), undefined);
  const stranger = await makeAuthority("Other CA");
  const pair = await stranger.issue({ commonName: "alice", client: true });
  await assertRejects(() => ask(port, s, pair));
  assertEquals((await t.next())?.code, "client_cert_refused");
});

Deno.test({
  name: "require: openssl and curl get the same answers",
  ignore: !hasProgram("curl") || !hasProgram("openssl"),
  fn: async () => {
    await using s = await tlsSite();
    await using t = await asking(s, "require", { products: HELLO });
    const port = t.proxy.port();
    const { cert, key } = await s.ca.issue({
      commonName: "carol",
      client: true,
    });
    await Deno.writeTextFile(`${s.folder}/carol.crt`, cert);
    await Deno.writeTextFile(`${s.folder}/carol.key`, key);
    const curl = (...args: string[]) =>
      run("curl", [
        "-sS",
        "--http1.1",
        "--cacert",
        `${s.folder}/ca.crt`,
        ...args,
        `https://127.0.0.1:${port}/`,
      ]);
    const own = [
      "--cert",
      `${s.folder}/carol.crt`,
      "--key",
      `${s.folder}/carol.key`,
    ];
    for (const version of ["--tlsv1.3", "--tls-max=1.2"]) {
      const max = version.startsWith("--tls-max")
        ? ["--tls-max", "1.2"]
        : [version];
      assertEquals((await curl(...own, ...max)).out, "hello\n");
      const without = await curl(...max);
      assert(without.code !== 0, without.out);
      assertEquals(without.out, "");
    }
  },
});

for (const version of ["-tls1_2", "-tls1_3"]) {
  Deno.test({
    name:
      `require: ${version} sessions are resumed for certificates that were verified here, and for no others`,
    ignore: opensslMissing(),
    async fn() {
      await using s = await tlsSite();
      await using backend = tellingBackend();
      const other = await makeAuthority("Other CA");
      await Deno.writeTextFile(`${s.folder}/other.crt`, other.cert);
      const asks = (name: string, ca: string, mode: string) => ({
        name,
        address: "127.0.0.1:0",
        tls: {
          certificates: s.single,
          clientAuth: { ca: `${s.folder}/${ca}`, mode },
        },
      });
      await using t = await asking(s, "require", {
        backends: [backend.url],
        listeners: [
          asks("elsewhere", "other.crt", "require"),
          asks("may", "ca.crt", "request"),
        ],
      });
      const [here, elsewhere, may] = [0, 1, 2].map((i) => t.proxy.port(i));
      const client = { commonName: "alice", client: true } as const;
      await writePairs(s.folder, {
        alice: await s.ca.issue(client),
        stranger: await other.issue(client),
      });
      /** What the client is told; its session is kept, or an older one resumed. */
      const visit = async (port: number, who: string, resume = false) => {
        const session = `${s.folder}/session-${who}`;
        const { stdout } = await openssl(
          [
            ...["s_client", version, "-ign_eof"],
            ...["-connect", `127.0.0.1:${port}`],
            ...resume ? ["-sess_in", session] : ["-sess_out", session],
            ...resume || who === "nobody"
              ? []
              : ["-cert", `${s.folder}/${who}.crt`],
            ...resume || who === "nobody"
              ? []
              : ["-key", `${s.folder}/${who}.key`],
          ],
          "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        );
        assertEquals(/^Reused, TLS/m.test(stdout), resume, stdout);
        const told = /"x-client-cert-verify":"(\w+)"/.exec(stdout)?.[1];
        return [told, (await t.next())?.code];
      };
      const refused = [undefined, "client_cert_refused"];
      assertEquals(await visit(here!, "alice"), ["SUCCESS", undefined]);
      assertEquals(await visit(here!, "alice", true), ["SUCCESS", undefined]);
      assertEquals(await visit(may!, "alice", true), ["SUCCESS", undefined]);
      assertEquals(await visit(elsewhere!, "alice", true), refused);
      // Refused, but it has got tickets with its handshake.
      assertEquals(await visit(here!, "stranger"), refused);
      assertEquals(await visit(here!, "stranger", true), refused);
      assertEquals(await visit(elsewhere!, "stranger"), ["SUCCESS", undefined]);
      assertEquals(await visit(here!, "stranger", true), refused);
      assertEquals(await visit(may!, "stranger", true), refused);
      assertEquals(await visit(may!, "nobody"), ["NONE", undefined]);
      assertEquals(await visit(may!, "nobody", true), ["NONE", undefined]);
      assertEquals(await visit(here!, "nobody", true), [
        undefined,
        "client_cert_missing",
      ]);
    },
  });
}

Deno.test("X-Client-Cert-* of clients are removed on every listener, unless they are trusted", async () => {
  await using backend = tellingBackend();
  const forged =
    "GET / HTTP/1.1\r\nHost: a\r\nX-Client-Cert-Verify: SUCCESS\r\n" +
    "x-client-cert-SUBJECT: CN=root\r\nX-Client-Cert-Issuer: x\r\nX-Client-Cert-San: x\r\n" +
    "X-Client-Cert-Serial: 1\r\nX-Client-Cert-Fingerprint: 00\r\nX-Client-Cert-Verify: SUCCESS\r\n" +
    "X_Client_Cert_Verify: SUCCESS\r\nx_client-cert_subject: CN=root\r\nX-Client.Cert-Issuer: x\r\n" +
    "X_FORWARDED_FOR: 10.1.1.1\r\nX_Forwarded-Proto: https\r\n\r\n";
  await using s = await tlsSite();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listeners: [
      {
        name: "behind",
        address: "127.0.0.1:0",
        trusted: ["127.0.0.0/8"],
      },
      {
        name: "asks",
        address: "127.0.0.1:0",
        tls: {
          certificates: s.single,
          clientAuth: { ca: `${s.folder}/ca.crt`, mode: "request" },
        },
      },
    ],
  });
  {
    using client = await HttpClient.connect(proxy.port(0));
    await client.send(forged);
    assertEquals((await client.response()).text, "{}");
  }
  {
    using client = await HttpClient.connect(proxy.port(1));
    await client.send(forged);
    const told = JSON.parse((await client.response()).text);
    assertEquals(told["x-client-cert-subject"], "CN=root");
    // No proxy spells them with other signs: from nobody are these believed.
    assertEquals(Object.keys(told).length, 6);
  }
  {
    using client = await connectTls(proxy.port(2), { ca: s.ca.cert });
    await client.send(forged);
    assertEquals(JSON.parse((await client.response()).text), {
      "x-client-cert-verify": "NONE",
    });
  }
});
