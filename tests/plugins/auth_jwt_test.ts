import {
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import authJwt from "../../plugins/auth_jwt.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import {
  answerOf,
  checkOptions,
  fakeRequest,
  OptionsError,
  type RequestFacts,
  type RunningPlugin,
  startPlugin,
} from "../../core/testing/views.ts";

/** Of the fake clock. */
const NOW = 1_700_000_001;
const SECRET = "0123456789abcdef0123456789abcdef";
const { privateKey, publicKey } = await generateKeyPair("RS256", {
  extractable: true,
});
const JWK = { ...await exportJWK(publicKey), kid: "k1", alg: "RS256" };

interface Claims {
  readonly [name: string]: unknown;
}

const CLAIMS: Claims = {
  iss: "https://i",
  aud: "api",
  exp: NOW + 60,
  sub: "u",
};

function token(
  claims: Claims = CLAIMS,
  header: JWTHeaderParameters = { alg: "HS256" },
  key: Parameters<SignJWT["sign"]>[0] = new TextEncoder().encode(SECRET),
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(header).sign(key);
}

const BASE = {
  keys: { secret: SECRET },
  algorithms: ["HS256"],
  issuer: "https://i",
  audience: "api",
};

async function ask({ handlers }: RunningPlugin, facts: RequestFacts) {
  const request = fakeRequest(facts);
  const response = answerOf(await handlers.foundProduct?.(request));
  return { request, response };
}

async function statusOf(
  options: Readonly<Record<string, unknown>>,
  jwt: string,
): Promise<number> {
  const plugin = await startPlugin(authJwt, options);
  const { response } = await ask(plugin, {
    headers: { authorization: `Bearer ${jwt}` },
  });
  await plugin.close();
  return response?.status ?? 0;
}

const ROWS: readonly (readonly [string, Claims, number])[] = [
  ["good claims", CLAIMS, 0],
  ["one of several audiences", { ...CLAIMS, aud: ["x", "api"] }, 0],
  ["an end within the skew", { ...CLAIMS, exp: NOW - 29 }, 0],
  ["a begin within the skew", { ...CLAIMS, nbf: NOW + 29 }, 0],
  ["an end that is over", { ...CLAIMS, exp: NOW - 31 }, 401],
  ["a begin to come", { ...CLAIMS, nbf: NOW + 31 }, 401],
  ["another issuer", { ...CLAIMS, iss: "https://j" }, 401],
  ["another audience", { ...CLAIMS, aud: "web" }, 401],
  ["no audience", { ...CLAIMS, aud: undefined }, 401],
  ["no end", { ...CLAIMS, exp: undefined }, 401],
];
for (const [what, claims, status] of ROWS) {
  Deno.test(`auth-jwt: ${what} is ${status || "let in"}`, async () => {
    assertEquals(await statusOf(BASE, await token(claims)), status);
  });
}

Deno.test("auth-jwt lets tokens without an end in where told so, but none without required claims", async () => {
  const jwt = await token({ ...CLAIMS, exp: undefined });
  assertEquals(await statusOf({ ...BASE, requireExpiry: false }, jwt), 0);
  const options = { ...BASE, requireExpiry: false, requiredClaims: ["scope"] };
  assertEquals(await statusOf(options, jwt), 401);
});

Deno.test("auth-jwt refuses what nobody signed and what another key signed", async () => {
  const none = new UnsecuredJWT(CLAIMS).encode();
  const good = await token();
  const [head, body] = good.split(".");
  const other = await token(CLAIMS, { alg: "HS256" }, new Uint8Array(32));
  for (
    const jwt of [none, `${head}.${body}.`, `${good}x`, other, "a.b.c", "a"]
  ) {
    assertEquals(await statusOf(BASE, jwt), 401, jwt);
  }
  assertEquals(
    await statusOf(BASE, await token(CLAIMS, { alg: "HS512" })),
    401,
  );
});

async function withKeyFile<T>(
  keys: readonly unknown[],
  use: (file: string) => Promise<T>,
): Promise<T> {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, JSON.stringify({ keys }));
    return await use(file);
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("auth-jwt does not take a public key for a secret", async () => {
  await withKeyFile([JWK], async (file) => {
    const options = { ...BASE, keys: { file }, algorithms: ["RS256"] };
    const header = { alg: "RS256", kid: "k1" };
    assertEquals(
      await statusOf(options, await token(CLAIMS, header, privateKey)),
      0,
    );
    const pem = new TextEncoder().encode(await exportSPKI(publicKey));
    const confused = await token(CLAIMS, { alg: "HS256", kid: "k1" }, pem);
    assertEquals(await statusOf(options, confused), 401);
    // A key that the token itself brings is nobody's.
    const stranger = await generateKeyPair("RS256", { extractable: true });
    const own = await token(
      CLAIMS,
      { ...header, jwk: await exportJWK(stranger.publicKey) },
      stranger.privateKey,
    );
    assertEquals(await statusOf(options, own), 401);
    const elsewhere = await token(CLAIMS, {
      ...header,
      jku: "https://evil.example/keys",
    }, stranger.privateKey);
    assertEquals(await statusOf(options, elsewhere), 401);
  });
});

/** A JWK set on a server. */
function serveKeys(keys: unknown[]) {
  const state = { keys, status: 200, asked: 0 };
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => {
      state.asked++;
      return Response.json({ keys: state.keys }, { status: state.status });
    },
  );
  return {
    state,
    url: `http://127.0.0.1:${server.addr.port}/keys`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("auth-jwt fetches keys once, and again for one that it does not know", async () => {
  await using site = serveKeys([JWK]);
  const plugin = await startPlugin(authJwt, {
    ...BASE,
    keys: { url: site.url, coolDown: "1ms" },
    algorithms: ["RS256"],
  });
  const next = await generateKeyPair("RS256", { extractable: true });
  const status = async (kid: string, key: CryptoKey) => {
    const jwt = await token(CLAIMS, { alg: "RS256", kid }, key);
    const headers = { authorization: `Bearer ${jwt}` };
    return (await ask(plugin, { headers })).response?.status ?? 0;
  };
  assertEquals(await status("k1", privateKey), 0);
  assertEquals(await status("k1", privateKey), 0);
  assertEquals(site.state.asked, 1);
  site.state.keys.push({ ...await exportJWK(next.publicKey), kid: "k2" });
  await eventually(
    "the new key",
    async () => await status("k2", next.privateKey) === 0,
  );
  assertEquals(await status("k3", next.privateKey), 401);
});

Deno.test("auth-jwt asks for unknown keys only after the cool-down", async () => {
  await using site = serveKeys([JWK]);
  const plugin = await startPlugin(authJwt, {
    ...BASE,
    keys: { url: site.url },
    algorithms: ["RS256"],
  });
  for (let i = 0; i < 20; i++) {
    const jwt = await token(CLAIMS, { alg: "RS256", kid: `x${i}` }, privateKey);
    const headers = { authorization: `Bearer ${jwt}` };
    assertEquals((await ask(plugin, { headers })).response?.status, 401);
  }
  assertEquals(site.state.asked, 1);
});

Deno.test("auth-jwt lets nobody in while the keys can't be had", async () => {
  await using site = serveKeys([JWK]);
  site.state.status = 500;
  const plugin = await startPlugin(authJwt, {
    ...BASE,
    keys: { url: site.url },
    algorithms: ["RS256"],
  });
  const jwt = await token(CLAIMS, { alg: "RS256", kid: "k1" }, privateKey);
  const { response } = await ask(plugin, {
    headers: { authorization: `Bearer ${jwt}` },
  });
  assertEquals(response?.status, 503);
  assertStringIncludes(plugin.metrics(), 'requests_total{result="no_keys"} 1');
});

Deno.test("auth-jwt tells claims to the backend, never what a client forged", async () => {
  const plugin = await startPlugin(authJwt, {
    ...BASE,
    claimHeaders: {
      sub: "X-User",
      roles: "X-Roles",
      org: "X-Org",
      none: "X-None",
    },
    claimTags: ["roles"],
  });
  const jwt = await token({
    ...CLAIMS,
    sub: "ü\r\nX-Admin: 1",
    roles: ["a", "b"],
    org: { id: 1 },
  });
  const { request } = await ask(plugin, {
    headers: {
      authorization: `Bearer ${jwt}`,
      "x-user": "root",
      "X_User": "root",
      "x-none": "root",
    },
  });
  assertEquals([...request.headers], [
    ["X-User", "%C3%BC%0D%0AX-Admin: 1"],
    ["X-Roles", "a,b"],
    ["X-Org", '{"id":1}'],
  ]);
  assertEquals(request.tags.get("jwt.roles"), ["a", "b"]);
});

Deno.test("auth-jwt drops forged fields also where no token is needed", async () => {
  const plugin = await startPlugin(authJwt, {
    ...BASE,
    when: 'req_path_in("/x", false)',
    claimHeaders: { sub: "X-User" },
  });
  const { request, response } = await ask(plugin, {
    headers: { "x-user": "root" },
  });
  assertEquals(response, undefined);
  assertEquals([...request.headers], []);
});

Deno.test("auth-jwt takes the token from a cookie, a query or a field, and away", async () => {
  const jwt = await token();
  const rows: readonly (readonly [object, RequestFacts, string])[] = [
    [
      { cookie: "t" },
      { headers: { cookie: `a=1; t=${jwt}; b=2` } },
      "a=1; b=2",
    ],
    [{ query: "t" }, { target: `/?a=1&t=${jwt}&b=2` }, "/?a=1&b=2"],
    [{ header: "X-Token" }, { headers: { "x-token": jwt } }, ""],
    [{ header: "X-Token" }, { headers: { "x-token": `Bearer ${jwt}` } }, ""],
  ];
  for (const [from, facts, left] of rows) {
    const plugin = await startPlugin(authJwt, { ...BASE, from });
    const { request, response } = await ask(plugin, facts);
    assertEquals(response, undefined, JSON.stringify(from));
    assertEquals(
      "query" in from ? request.target : request.headers.get("cookie") ?? "",
      left,
    );
    assert(!request.headers.has("x-token"));
    const { response: without } = await ask(plugin, {});
    assertEquals(without?.status, 401);
  }
});

Deno.test("auth-jwt challenges by RFC 6750", async () => {
  const plugin = await startPlugin(authJwt, { ...BASE, realm: "shop" });
  const missing = await ask(plugin, {});
  const wrong = await ask(plugin, { headers: { authorization: "Bearer x" } });
  const field = (answer: typeof missing) =>
    new Headers(answer.response?.headers as Record<string, string>)
      .get("www-authenticate");
  assertEquals(field(missing), 'Bearer realm="shop"');
  assertEquals(field(wrong), 'Bearer realm="shop", error="invalid_token"');
});

Deno.test("auth-jwt refuses a token of 10 MB and two of them at once", async () => {
  const plugin = await startPlugin(authJwt, BASE);
  const huge = `Bearer ${"a".repeat(10_000_000)}`;
  const { response } = await ask(plugin, { headers: { authorization: huge } });
  assertEquals(response?.status, 401);
  const jwt = await token();
  const twice = fakeRequest();
  twice.headers.append("authorization", `Bearer ${jwt}`);
  twice.headers.append("authorization", `Bearer ${jwt}`);
  assertEquals((await plugin.handlers.foundProduct?.(twice))?.kind, "respond");
});

const REFUSED:
  readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [{ ...BASE, algorithms: ["none"] }, "algorithms.0"],
    [{ ...BASE, algorithms: [] }, "algorithms"],
    [{ ...BASE, algorithms: undefined }, "algorithms"],
    [{ ...BASE, algorithms: ["RS256"] }, "Expected only HS256"],
    [{ ...BASE, algorithms: ["HS256", "RS256"] }, "Expected only HS256"],
    [
      { ...BASE, keys: { url: "https://a/" }, algorithms: ["RS256", "HS256"] },
      "Cannot use HS256 with public keys",
    ],
    [{ ...BASE, keys: { secret: "short" } }, "keys.secret"],
    [
      { ...BASE, keys: { secret: "x".repeat(63) }, algorithms: ["HS512"] },
      "keys.secret: Expected at least 64 bytes for HS512: found 63",
    ],
    [{ ...BASE, keys: {} }, "exactly one of url, file and secret"],
    [{ ...BASE, keys: { secret: SECRET, file: "a" } }, "exactly one"],
    [{ ...BASE, from: {} }, "Expected one of header"],
  ];
for (const [options, text] of REFUSED) {
  Deno.test(`auth-jwt refuses ${JSON.stringify(options).slice(0, 90)}`, async () => {
    const error = await assertRejects(
      () => checkOptions(authJwt, options),
      OptionsError,
    );
    assertStringIncludes(error.message, text);
  });
}
