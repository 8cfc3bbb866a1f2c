/**
 * `builtin:static` through sockets.
 *
 * @module
 */
import { RefusedError } from "../../core/data_plane/control.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
} from "../support/assert.ts";
import { HttpClient } from "../support/http_client.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { startSample } from "../support/sample_proxy.ts";

const BIG = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);

/** A folder to serve, with a secret beside it. */
async function makeSite() {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const root = `${folder}/public`;
  await Deno.mkdir(`${root}/docs`, { recursive: true });
  await Promise.all([
    Deno.writeTextFile(`${folder}/secret.txt`, "secret"),
    Deno.writeTextFile(`${root}/index.html`, "<h1>home</h1>"),
    Deno.writeTextFile(`${root}/docs/index.html`, "docs"),
    Deno.writeTextFile(`${root}/a b.txt`, "text"),
    Deno.writeTextFile(`${root}/.env`, "hidden"),
    Deno.writeTextFile(`${root}/app.js`, "plain()"),
    Deno.writeTextFile(`${root}/app.js.br`, "br"),
    Deno.writeTextFile(`${root}/empty.css`, ""),
    Deno.writeFile(`${root}/big.bin`, BIG),
  ]);
  await Deno.symlink(`${folder}/secret.txt`, `${root}/link.txt`);
  return {
    root,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

function serve(options: Readonly<Record<string, unknown>>) {
  return startProxyWith({
    products: [{
      name: "site",
      default: true,
      rules: [{ respond: { status: 404, body: "a rule's" } }],
    }],
    plugins: [{ use: "builtin:static", products: ["site"], options }],
  });
}

Deno.test("the sample of static serves files, precompressed ones too", async () => {
  await using site = await makeSite();
  await using proxy = await startSample(
    "static",
    (sample) => sample.replace("root: public", `root: ${site.root}`),
  );
  using client = await HttpClient.connect(proxy.port());
  const get = async (path: string, fields = "") => {
    await client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    return await client.response();
  };
  const home = await get("/");
  assertEquals([home.status, home.text], [200, "<h1>home</h1>"]);
  assertEquals(home.headers.get("content-type"), "text/html; charset=utf-8");
  assertEquals(home.headers.get("content-length"), "13");
  assertEquals(home.headers.get("cache-control"), "public, max-age=3600");
  assertEquals(home.headers.get("x-content-type-options"), "nosniff");
  assertEquals((await get("/a%20b.txt?x")).text, "text");
  const plain = await get("/app.js");
  assertEquals([plain.text, plain.headers.get("vary")], [
    "plain()",
    "Accept-Encoding",
  ]);
  const coded = await get("/app.js", "Accept-Encoding: gzip, br\r\n");
  assertEquals(coded.text, "br");
  assertEquals(coded.headers.get("content-encoding"), "br");
  assertEquals(
    coded.headers.get("content-type"),
    "text/javascript; charset=utf-8",
  );
  assert(coded.headers.get("etag") !== plain.headers.get("etag"));
  const folder = await get("/docs?a=1");
  assertEquals([folder.status, folder.headers.get("location")], [
    308,
    "/docs/?a=1",
  ]);
  assertEquals((await get("/docs/")).text, "docs");
  assertEquals((await get("//docs")).headers.get("location"), null);
  assertEquals((await get("/none")).text, "nothing here\n");
  assertEquals((await get("/index.html/")).status, 404);
  assertEquals((await get("/empty.css")).headers.get("content-length"), "0");
});

Deno.test("static answers conditions and ranges", async () => {
  await using site = await makeSite();
  await using proxy = await serve({ root: site.root });
  using client = await HttpClient.connect(proxy.port());
  const ask = async (fields: string, method = "GET") => {
    await client.send(
      `${method} /big.bin HTTP/1.1\r\nHost: a\r\n${fields}\r\n`,
    );
    return await client.response({ head: method === "HEAD" });
  };
  const whole = await ask("");
  assertEquals(whole.body, BIG);
  const etag = whole.headers.get("etag")!;
  const head = await ask("", "HEAD");
  assertEquals(head.headers.get("content-length"), "300000");
  assertEquals((await ask(`If-None-Match: ${etag}\r\n`)).status, 304);
  const date = whole.headers.get("last-modified")!;
  assertEquals((await ask(`If-Modified-Since: ${date}\r\n`)).status, 304);
  assertEquals((await ask('If-Match: "x"\r\n')).status, 412);
  for (
    const [range, from, to] of [
      ["0-9", 0, 10],
      ["100000-299999", 100_000, 300_000],
      ["-5", 299_995, 300_000],
    ] as const
  ) {
    const part = await ask(`Range: bytes=${range}\r\nIf-Range: ${etag}\r\n`);
    assertEquals(part.status, 206);
    assertEquals(part.body, BIG.subarray(from, to));
    assertEquals(
      part.headers.get("content-range"),
      `bytes ${from}-${to - 1}/300000`,
    );
  }
  const beyond = await ask("Range: bytes=300000-\r\n");
  assertEquals(beyond.status, 416);
  assertEquals(beyond.headers.get("content-range"), "bytes */300000");
  assertEquals((await ask("Range: bytes=0-1,4-5\r\n")).status, 200);
});

Deno.test("no other spelling of a path gets by a condition that guards files", async () => {
  await using site = await makeSite();
  await using proxy = await startProxyWith({
    products: [{
      name: "site",
      default: true,
      rules: [{ respond: { status: 404 } }],
    }],
    plugins: [
      {
        use: "builtin:block",
        options: {
          at: "request",
          when: 'req_path_prefix_in("/docs/", false)',
          otherwise: "block",
        },
      },
      { use: "builtin:static", options: { root: site.root } },
    ],
  });
  for (
    const [path, status] of [
      ["/docs/index.html", 403],
      ["/%64ocs/index.html", 403],
      ["/docs//index.html", 403],
      ["//docs/index.html", 404],
      ["///docs/index.html", 404],
      ["/./docs/index.html", 404],
    ] as const
  ) {
    using client = await HttpClient.connect(proxy.port());
    assertEquals((await client.get(path)).status, status, path);
  }
});

/** Ways out of the root and to what is hidden. */
const ATTACKS = [
  "/../secret.txt",
  "/docs/../../secret.txt",
  "/%2e%2e/secret.txt",
  "/%2e%2e%2fsecret.txt",
  "/..%2fsecret.txt",
  "/..%5csecret.txt",
  "/..\\secret.txt",
  "/%252e%252e/secret.txt",
  "/%c0%ae%c0%ae/secret.txt",
  "/..;/secret.txt",
  "/docs/..%00/secret.txt",
  "/index.html%00.txt",
  "//../secret.txt",
  "/link.txt",
  "/.env",
  "/docs/.%65nv",
  "/%2eenv",
  "/docs/%2e%2e/.env",
  "/file:///etc/passwd",
  "/etc/passwd",
  `/${"a/".repeat(2_000)}`,
  `/${"x".repeat(4_000)}`,
];

Deno.test("static lets nobody out of its root", async () => {
  await using site = await makeSite();
  await using proxy = await serve({ root: site.root, otherwise: "404" });
  for (const path of ATTACKS) {
    using client = await HttpClient.connect(proxy.port());
    const { status, text } = await client.get(path);
    assertEquals([status, text], [404, "Not found\n"], path);
  }
});

Deno.test("static serves a single-page application", async () => {
  await using site = await makeSite();
  await using proxy = await serve({
    root: site.root,
    prefix: "/app/",
    fallback: "/index.html",
    cacheControl: "public, max-age=60",
  });
  using client = await HttpClient.connect(proxy.port());
  const get = async (path: string, accept: string) => {
    await client.send(
      `GET ${path} HTTP/1.1\r\nHost: a\r\nAccept: ${accept}\r\n\r\n`,
    );
    return await client.response();
  };
  const page = await get("/app/some/route", "text/html");
  assertEquals([page.status, page.text], [200, "<h1>home</h1>"]);
  assertEquals(page.headers.get("cache-control"), "no-cache");
  assertEquals((await get("/app/x.png", "image/png")).text, "a rule's");
  assertEquals((await get("/app/a%20b.txt", "*/*")).text, "text");
  assertEquals((await get("/other", "text/html")).text, "a rule's");
});

Deno.test("static passes other methods on, or answers 405", async () => {
  await using site = await makeSite();
  for (
    const [otherwise, status] of [["rules", 404], ["404", 405]] as const
  ) {
    await using proxy = await serve({ root: site.root, otherwise });
    using client = await HttpClient.connect(proxy.port());
    await client.send(
      "POST /index.html HTTP/1.1\r\nHost: a\r\n" +
        "Content-Length: 0\r\n\r\n",
    );
    const response = await client.response();
    assertEquals(response.status, status);
    assertEquals(
      response.headers.get("allow"),
      status === 405 ? "GET, HEAD" : null,
    );
  }
});

Deno.test("static ends a response whose file shrinks, and serves the next one", async () => {
  await using site = await makeSite();
  const path = `${site.root}/huge.bin`;
  await Deno.writeFile(path, new Uint8Array(64 << 20));
  await using proxy = await serve({ root: site.root });
  using client = await HttpClient.connect(proxy.port());
  await client.send("GET /huge.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.conn.read(new Uint8Array(1_000));
  await Deno.truncate(path, 1_000);
  let bytes = 0;
  const buffer = new Uint8Array(1 << 20);
  for (;;) {
    const count = await client.conn.read(buffer).catch(() => null);
    if (count === null) break;
    bytes += count;
  }
  assert(bytes < 64 << 20);
  using next = await HttpClient.connect(proxy.port());
  assertMatch((await next.get("/index.html")).text, /home/);
});

Deno.test("static refuses extensions that no file would be found to have", async () => {
  for (const extension of [".md", "MD", "tar.gz"]) {
    const error = await assertRejects(
      () =>
        serve({
          root: ".",
          types: { [extension]: "text/markdown" },
        }),
      RefusedError,
    );
    assertMatch(error.problems.join(), /without a dot/);
  }
});

Deno.test("static refuses a root that is not there", async () => {
  let reason = "";
  try {
    await using _proxy = await serve({ root: "/none/at/all" });
  } catch (error) {
    reason = String(error);
  }
  assertMatch(reason, /Cannot serve "\/none\/at\/all"/);
});
