/**
 * `block`, `secure-link`, `auth-basic` and `auth-jwt` through sockets, by the
 * configs of their doc headers.
 *
 * @module
 */
import { createHmac } from "node:crypto";
import { SignJWT } from "jose";
import { assert, assertEquals } from "../support/assert.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { startSample } from "../support/sample_proxy.ts";

Deno.test("the sample of block lets others in, and closes on who is listed", async () => {
  await using proxy = await startSample("block");
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "hello\n");
  await using closed = await startSample(
    "block",
    (sample) => sample.replace("192.0.2.0/24", "127.0.0.0/8"),
  );
  using blocked = await HttpClient.connect(closed.port());
  assert(await blocked.ended());
});

Deno.test("block by product answers 403 for the client behind a trusted proxy", async () => {
  await using proxy = await startProxyWith({
    listener: { trusted: ["127.0.0.1/32"] },
    products: [{
      name: "site",
      default: true,
      rules: [{ respond: { status: 200, body: "ok" } }],
    }],
    plugins: [{
      use: "builtin:block",
      products: ["site"],
      options: { at: "request", block: { addresses: ["192.0.2.0/24"] } },
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  const statusFrom = async (address: string) => {
    await client.send(
      `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${address}\r\n\r\n`,
    );
    return (await client.response()).status;
  };
  assertEquals(await statusFrom("192.0.2.1"), 403);
  assertEquals(await statusFrom("198.51.100.1"), 200);
});

Deno.test("the sample of secure-link opens for a signed link", async () => {
  await using proxy = await startSample("secure_link");
  using client = await HttpClient.connect(proxy.port());
  const expires = Math.floor(Date.now() / 1000) + 60;
  const signature = createHmac(
    "sha256",
    "a secret that only the maker of links knows",
  ).update(`GET\n${expires}\n/files/a%20b\na=1`).digest("base64url");
  const link = `/files/a%20b?a=1&expires=${expires}&signature=${signature}`;
  assertEquals((await client.get(link)).status, 200);
  assertEquals((await client.get(link.replace("a=1", "a=2"))).status, 403);
  assertEquals((await client.get("/files/a%20b")).status, 403);
  assertEquals((await client.get("/")).status, 200);
});

Deno.test("the sample of auth-basic asks for the password", async () => {
  await using proxy = await startSample("auth_basic");
  using client = await HttpClient.connect(proxy.port());
  const first = await client.get();
  assertEquals(first.status, 401);
  assertEquals(
    first.headers.get("www-authenticate"),
    'Basic realm="Staff", charset="UTF-8"',
  );
  for (const [password, status] of [["myPassword", 200], ["guess", 401]]) {
    const credentials = btoa(`alice:${password}`);
    await client.send(
      `GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic ${credentials}\r\n\r\n`,
    );
    assertEquals((await client.response()).status, status);
  }
});

Deno.test("auth-basic tells a backend the user and not the password", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [{
      use: "builtin:auth-basic",
      options: {
        users: ["bob:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="],
        userHeader: "X-Remote-User",
      },
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.1\r\nHost: a\r\nX-Remote-User: root\r\nx_remote_user: root\r\n" +
      "X.Remote~User: root\r\n" +
      `Authorization: Basic ${btoa("bob:myPassword")}\r\n\r\n`,
  );
  const { headers } = parseEcho((await client.response()).text);
  assertEquals(headers["x-remote-user"], "bob");
  assertEquals(headers["x_remote_user"], undefined);
  assertEquals(headers["x.remote~user"], undefined);
  assertEquals(headers["authorization"], undefined);
});

Deno.test("the sample of auth-jwt lets a signed token in", async () => {
  await using proxy = await startSample("auth_jwt");
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).status, 401);
  const jwt = await new SignJWT({ sub: "u" })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("https://issuer.example")
    .setAudience("api")
    .setExpirationTime("1m")
    .sign(new TextEncoder().encode("0123456789abcdef0123456789abcdef"));
  const statusOf = async (token: string) => {
    await client.send(
      `GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    );
    return (await client.response()).status;
  };
  assertEquals(await statusOf(jwt), 200);
  assertEquals(await statusOf(`${jwt.slice(0, -4)}AAAA`), 401);
});
