/**
 * The compress plugin before real clients: curl, Node and Chromium decode what
 * they get at every Accept-Encoding.
 *
 * @module
 */
import { availableCodings } from "../../plugins/compression.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { hasProgram } from "../support/tls_client.ts";

/** Long enough for several pieces, and no two places of it are alike. */
const TEXT = Array.from(
  { length: 20_000 },
  (_, i) => `line ${i} of what is compressed\n`,
).join("");

/** What clients send, and what clients might send. */
const WISHES: readonly string[] = [
  "gzip",
  "br",
  "zstd",
  "gzip, deflate",
  "gzip, deflate, br",
  "gzip, deflate, br, zstd",
  "br;q=1.0, gzip;q=0.8, *;q=0.1",
  "zstd;q=0.1, gzip;q=0.9",
  "*",
  "*;q=0",
  "identity",
  "identity;q=0, gzip",
  "gzip;q=0",
  "gzip;q=0, br;q=0, zstd;q=0",
  "deflate",
  "compress",
  "x-gzip",
  "GZip",
  " gzip , br ",
  "gzip;q=1.5",
  ",,,",
  "",
];

function serveText() {
  return serveHttpBackend(() =>
    new Response(TEXT, {
      headers: {
        "content-type": "text/plain",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "content-encoding",
      },
    })
  );
}

async function output(
  command: string,
  args: readonly string[],
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
  }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stderr));
  return decoder.decode(stdout);
}

Deno.test({
  name: "compress: curl decodes what it gets at every Accept-Encoding",
  ignore: !hasProgram("curl"),
  async fn() {
    await using backend = serveText();
    await using proxy = await startProxyWith({
      backends: [backend.url],
      plugins: [{ use: "builtin:compress" }],
    });
    const features = await output("curl", ["-V"]);
    const codings = new Map<string, string>();
    for (const wish of WISHES) {
      // It offers all that it decodes; one that lacks a coding is not asked for it.
      if (/zstd|\*/.test(wish) && !features.includes("zstd")) continue;
      if (wish.includes("br") && !features.includes("brotli")) continue;
      const text = await output("curl", [
        "-s",
        "--compressed",
        "-H",
        wish === "" ? "Accept-Encoding;" : `Accept-Encoding: ${wish}`,
        "-w",
        "\n%header{content-encoding}",
        proxy.url(),
      ]);
      const at = text.lastIndexOf("\n");
      assert(text.slice(0, at) === TEXT, `the body at "${wish}"`);
      codings.set(wish, text.slice(at + 1));
    }
    console.log(JSON.stringify(Object.fromEntries(codings)));
    assertEquals(codings.get("gzip"), "gzip");
    assertEquals(codings.get("gzip;q=0"), "");
  },
});

/** Asks at each Accept-Encoding of its arguments and tells what it decoded. */
const NODE_CLIENT = `
const [url, ...wishes] = process.argv.slice(1);
const told = [];
for (const wish of wishes) {
  const response = await fetch(url, { headers: { "accept-encoding": wish } });
  const text = await response.text();
  told.push([wish, response.headers.get("content-encoding"), text.length, text.slice(-30)]);
}
console.log(JSON.stringify(told));
`;

Deno.test({
  name: "compress: Node decodes what it gets at every Accept-Encoding",
  ignore: !hasProgram("node"),
  async fn() {
    await using backend = serveText();
    await using proxy = await startProxyWith({
      backends: [backend.url],
      plugins: [{
        use: "builtin:compress",
        // Its fetch knows no zstd up to version 22.
        options: { codings: ["br", "gzip"] },
      }],
    });
    const text = await output("node", [
      "--input-type=module",
      "-e",
      NODE_CLIENT,
      proxy.url(),
      ...WISHES,
    ]);
    const told: [string, string | null, number, string][] = JSON.parse(text);
    assertEquals(told.length, WISHES.length);
    for (const [wish, , length, end] of told) {
      assertEquals([wish, length, end], [wish, TEXT.length, TEXT.slice(-30)]);
    }
    const codings = new Map(told.map(([wish, coding]) => [wish, coding]));
    assertEquals(codings.get("gzip, deflate, br"), "br");
    assertEquals(codings.get("gzip"), "gzip");
    assertEquals(codings.get("identity"), null);
  },
});

Deno.test({
  name: "compress: Chromium decodes every coding that it asks for",
  ignore: !hasProgram("chromium"),
  async fn() {
    await using backend = serveText();
    const codings = ["gzip", "br", "zstd"];
    await using proxy = await startProxyWith({
      backends: [backend.url],
      listeners: [...codings, "page"].map((name) => ({
        name,
        address: "127.0.0.1:0",
      })),
      plugins: [
        ...codings.map((coding) => ({
          use: "builtin:compress",
          name: coding,
          listeners: [coding],
          options: { codings: [coding] },
        })),
      ],
    });
    const page = `<pre id="told"></pre><script>
      const told = [];
      const done = ${
      JSON.stringify(codings.map((_, i) => proxy.url("/", i + 1)))
    }.map(async (url) => {
        const response = await fetch(url);
        const text = await response.text();
        told.push([response.headers.get("content-encoding"), text.length, text.slice(-20)]);
      });
      Promise.allSettled(done).then(() => {
        document.getElementById("told").textContent = "told:" + JSON.stringify(told) + ":end";
      });
    </script>`;
    await using pages = serveHttpBackend(() =>
      new Response(page, { headers: { "content-type": "text/html" } })
    );
    const profile = await Deno.makeTempDir({ prefix: "headrace-test-" });
    let dom: string;
    try {
      dom = await output("chromium", [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        `--user-data-dir=${profile}`,
        "--virtual-time-budget=10000",
        "--dump-dom",
        pages.url,
      ]);
    } finally {
      await Deno.remove(profile, { recursive: true });
    }
    const told: [string | null, number, string][] = JSON.parse(
      /told:(.*):end/.exec(dom.replaceAll(/&quot;/g, '"'))![1]!,
    );
    console.log(JSON.stringify(told.map(([coding]) => coding)));
    assertEquals(told.length, codings.length);
    for (const [, length, end] of told) {
      assertEquals([length, end], [TEXT.length, TEXT.slice(-20)]);
    }
    assert(told.some(([coding]) => coding === "gzip"));
  },
});

Deno.test("availableCodings: what the runtime lacks is left out, nothing at all is refused", () => {
  const old = { createGzip: () => {}, createBrotliCompress: () => {} };
  assertEquals(availableCodings(["zstd", "br", "gzip"], old), ["br", "gzip"]);
  assertEquals(availableCodings(["gzip"]), ["gzip"]);
  assertThrows(() => availableCodings(["zstd"], old), Error, "none of zstd");
});
