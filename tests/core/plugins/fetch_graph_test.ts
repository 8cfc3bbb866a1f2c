import { FakeClock } from "../../support/clock.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { Loader, ModuleHost, type Page } from "./module_host.ts";

function answer(
  body: string | null,
  type: string | undefined,
  status = 200,
): Page {
  return () => {
    const response = new Response(body, { status });
    response.headers.delete("content-type");
    if (type !== undefined) response.headers.set("content-type", type);
    return response;
  };
}

function redirect(location: string | undefined): Page {
  return () =>
    new Response(null, {
      status: 302,
      ...(location !== undefined && { headers: { location } }),
    });
}

Deno.test("fetchGraph refuses a root that is not there", async () => {
  await using host = new ModuleHost({
    "/gone.js": answer("", "text/html", 410),
  });
  using loader = new Loader();
  const missing = await loader.refuses(`${host.origin}/no.js`, "not_found");
  assertStringIncludes(missing, "404");
  const gone = await loader.refuses(`${host.origin}/gone.js`, "not_found");
  assertStringIncludes(gone, "410");
  await loader.refuses("./no.ts", "not_found");
});

Deno.test("fetchGraph names the module, line and column that import what is not there", async () => {
  await using host = new ModuleHost({
    "/p.ts": `import "./a.ts";`,
    "/a.ts": `type T = 1;\nimport { b } from "./b.ts";\nb();`,
  });
  using loader = new Loader();
  const message = await loader.refuses(
    `${host.origin}/p.ts`,
    "import_not_found",
  );
  assertStringIncludes(message, `${host.origin}/b.ts is not there`);
  assertStringIncludes(message, `imported at ${host.origin}/a.ts:2:20`);
});

Deno.test("fetchGraph tells other statuses apart", async () => {
  await using host = new ModuleHost({
    "/403.js": answer("", "text/html", 403),
    "/500.js": answer("", "text/html", 500),
    "/429.js": answer("", "text/html", 429),
  });
  using loader = new Loader();
  const message = await loader.refuses(`${host.origin}/403.js`, "http_status");
  assertStringIncludes(message, "403");
  await loader.refuses(`${host.origin}/500.js`, "http_unavailable");
  await loader.refuses(`${host.origin}/429.js`, "http_unavailable");
});

Deno.test("fetchGraph refuses where nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  using loader = new Loader();
  const message = await loader.refuses(
    `http://127.0.0.1:${port}/p.js`,
    "fetch_failed",
  );
  assertStringIncludes(message, "refused");
});

Deno.test("fetchGraph refuses a body that is cut off", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  async function cutOff(): Promise<void> {
    const conn = await listener.accept();
    await conn.read(new Uint8Array(4096));
    await conn.write(new TextEncoder().encode(
      "HTTP/1.1 200 OK\r\ncontent-type: text/javascript\r\ncontent-length: 100\r\n\r\nexport",
    ));
    conn.close();
  }
  const cut = cutOff();
  using loader = new Loader();
  await loader.refuses(
    `http://127.0.0.1:${listener.addr.port}/p.js`,
    "fetch_failed",
  );
  await cut;
  listener.close();
});

Deno.test("fetchGraph gives up a file after its time, also in the body", async () => {
  for (const part of ["head", "body"]) {
    const gate = Promise.withResolvers<void>();
    const clock = new FakeClock();
    await using host = new ModuleHost({
      "/slow.js": async () => {
        if (part === "head") {
          clock.advance(10_000);
          await gate.promise;
          return new Response();
        }
        const body = new ReadableStream({
          async pull(controller) {
            controller.enqueue(new TextEncoder().encode("export"));
            clock.advance(10_000);
            await gate.promise;
            controller.close();
          },
        }, { highWaterMark: 0 });
        return new Response(body, {
          headers: { "content-type": "text/javascript" },
        });
      },
    });
    using loader = new Loader({ clock });
    const message = await loader.refuses(
      `${host.origin}/slow.js`,
      "fetch_timeout",
    );
    assertStringIncludes(message, "10000 ms");
    assertEquals(clock.pending, 0);
    gate.resolve();
  }
});

Deno.test("fetchGraph refuses files beyond the limit, declared, streamed or local", async () => {
  const big = "/".repeat(2000);
  await using host = new ModuleHost({
    "/declared.js": big,
    "/streamed.js": () =>
      new Response(new Blob([big]).stream(), {
        headers: { "content-type": "text/javascript" },
      }),
  });
  using loader = new Loader({ limits: { fileBytes: 1000 } });
  loader.folder.write({ "local.js": big });
  const uses = [
    `${host.origin}/declared.js`,
    `${host.origin}/streamed.js`,
    "./local.js",
    `data:text/javascript,${big}`,
  ];
  for (const use of uses) {
    const message = await loader.refuses(use, "file_too_large");
    assertStringIncludes(message, "1000 bytes");
  }
});

Deno.test("fetchGraph refuses graphs of too many modules", async () => {
  await using host = new ModuleHost({
    "/p.js": `import "./1.js"; import "./2.js"; import "./3.js";`,
    "/1.js": "",
    "/2.js": "",
    "/3.js": "",
  });
  using loader = new Loader({ limits: { files: 3 } });
  const message = await loader.refuses(`${host.origin}/p.js`, "too_many_files");
  assertStringIncludes(message, "more than 3 modules");
  assertEquals(host.asked, ["/p.js"]);
});

Deno.test("fetchGraph refuses to read folders", async () => {
  using loader = new Loader();
  loader.folder.write({ "folder.js/x": "" });
  const message = await loader.refuses("./folder.js", "read_failed");
  assertStringIncludes(message, "it is not a file");
});

Deno.test("fetchGraph refuses redirect loops, long chains and bad locations", async () => {
  await using host = new ModuleHost({
    "/a.js": redirect("/b.js"),
    "/b.js": redirect("/a.js"),
    "/none.js": redirect(undefined),
    "/bad.js": redirect("http://[/"),
    "/file.js": redirect("file:///etc/passwd"),
    "/data.js": redirect("data:text/javascript,1"),
    ...Object.fromEntries(
      Array.from(
        { length: 6 },
        (_, i) => [`/c${i}.js`, redirect(`/c${i + 1}.js`)],
      ),
    ),
    "/c6.js": "export default 1",
  });
  using loader = new Loader();
  await loader.refuses(`${host.origin}/a.js`, "redirect_loop");
  await loader.refuses(`${host.origin}/c0.js`, "too_many_redirects");
  assertEquals((await loader.resolve(`${host.origin}/c1.js`)).kind, "module");
  for (const page of ["none", "bad", "file", "data"]) {
    await loader.refuses(`${host.origin}/${page}.js`, "bad_redirect");
  }
});

Deno.test("fetchGraph refuses redirects to where it would not fetch from", async () => {
  const locations: Record<string, string> = {
    "https://a.example/p.js": "http://127.0.0.1/p.js",
    "http://127.0.0.1/p.js": "http://a.example/p.js",
  };
  using loader = new Loader({
    fetch: (input) =>
      Promise.resolve(
        new Response(null, {
          status: 301,
          headers: { location: locations[String(input)]! },
        }),
      ),
  });
  await loader.refuses("https://a.example/p.js", "insecure_redirect");
  await loader.refuses("http://127.0.0.1/p.js", "insecure_url");
});

Deno.test("fetchGraph refuses media types that are no module's", async () => {
  await using host = new ModuleHost({
    "/page.ts": answer("<html>", "text/html; charset=utf-8"),
    "/plain": answer("export default 1", "text/plain"),
    "/style.js": answer("a {}", "text/css"),
    "/root.json": "{}",
  });
  using loader = new Loader();
  loader.folder.write({ "x.wasm": "", "y": "", "z.cjs": "" });
  const message = await loader.refuses(
    `${host.origin}/page.ts`,
    "wrong_media_type",
  );
  assertStringIncludes(message, `"text/html; charset=utf-8"`);
  const uses = [
    `${host.origin}/plain`,
    `${host.origin}/style.js`,
    `${host.origin}/root.json`,
    "./x.wasm",
    "./y",
    "./z.cjs",
    "data:text/html,x",
    "data:,x",
  ];
  for (const use of uses) await loader.refuses(use, "wrong_media_type");
});

Deno.test("fetchGraph takes TypeScript under the media types that file servers give it", async () => {
  const types = [
    "text/plain",
    "video/mp2t",
    "application/octet-stream",
    undefined,
  ];
  await using host = new ModuleHost(Object.fromEntries(
    types.map((type, i) => [
      `/${i}.ts`,
      answer("export default 1 as number", type),
    ]),
  ));
  using loader = new Loader();
  for (const i of types.keys()) {
    const artifact = await loader.resolve(`${host.origin}/${i}.ts`);
    assertEquals(artifact.modules.length, 1);
  }
});

Deno.test("fetchGraph wants JSON asked for as such, and only JSON", async () => {
  await using host = new ModuleHost({
    "/a.js": `import x from "./d.json";`,
    "/b.js": `import x from "./e.js" with { type: "json" };`,
    "/c.js": `import x from "./d.json" with { type: "text" };`,
    "/f.js": `import x from "./bad.json" with { type: "json" };`,
    "/d.json": "{}",
    "/e.js": "",
    "/bad.json": "{,}",
  });
  using loader = new Loader();
  const refusals = [
    ["a", "wrong_media_type"],
    ["b", "wrong_media_type"],
    ["c", "unsupported_attribute"],
    ["f", "parse_error"],
  ] as const;
  for (const [name, code] of refusals) {
    const message = await loader.refuses(`${host.origin}/${name}.js`, code);
    assertStringIncludes(message, `${host.origin}/${name}.js:1:`);
  }
});

Deno.test("fetchGraph names URL, line and column of what doesn't parse", async () => {
  await using host = new ModuleHost({
    "/p.ts": `import "./bad.ts";`,
    "/bad.ts": "const a: number = 1;\nconst b: = 2;\n",
    "/bad.js": "const a = 1;\nexport const s = 'open\n",
    "/latin.js": new Uint8Array([0x2f, 0x2f, 0xe9]),
  });
  using loader = new Loader();
  const ts = await loader.refuses(`${host.origin}/p.ts`, "parse_error");
  assertStringIncludes(ts, `${host.origin}/bad.ts:2:10: it doesn't parse`);
  assertStringIncludes(ts, `imported at ${host.origin}/p.ts:1:9`);
  const js = await loader.refuses(`${host.origin}/bad.js`, "parse_error");
  assertStringIncludes(js, `${host.origin}/bad.js:2:`);
  const latin = await loader.refuses(`${host.origin}/latin.js`, "parse_error");
  assertStringIncludes(latin, "UTF-8");
});

Deno.test("fetchGraph refuses computed imports", async () => {
  using loader = new Loader();
  loader.folder.write({
    "p.ts": "const name: string = 'x';\nawait import(`./${name}.ts`);",
  });
  const message = await loader.refuses("./p.ts", "computed_import");
  assertStringIncludes(message, "p.ts:2:");
  assertStringIncludes(message, "import(`./${name}.ts`)");
});

Deno.test("fetchGraph refuses bare names and says how to write them", async () => {
  using loader = new Loader();
  loader.folder.write({
    "zod.ts": `import { z } from "zod"; z();`,
    "fs.ts": `import "fs";`,
  });
  assertStringIncludes(
    await loader.refuses("./zod.ts", "bare_import"),
    "npm:zod",
  );
  assertStringIncludes(
    await loader.refuses("./fs.ts", "bare_import"),
    "node:fs",
  );
});

Deno.test("fetchGraph refuses imports that can't be resolved or come from elsewhere", async () => {
  using loader = new Loader();
  const fromData = (code: string) =>
    `data:text/javascript,${encodeURIComponent(code)}`;
  await loader.refuses(fromData(`import "./x.js"`), "bad_import");
  await loader.refuses(fromData(`import "blob:x"`), "unsupported_scheme");
  await loader.refuses(fromData(`import "http://a.example/"`), "insecure_url");
});

Deno.test("fetchGraph keeps remote modules from local files, also in disguise", async () => {
  using loader = new Loader();
  loader.folder.write({ "secret.js": "export default 1;" });
  const secret = `file://${loader.folder.path}/secret.js`;
  const code = `import ${JSON.stringify(secret)};`;
  const disguise = `data:text/javascript,${encodeURIComponent(code)}`;
  await using host = new ModuleHost({
    "/p.js": code,
    "/q.js": `import ${JSON.stringify(disguise)};`,
  });
  const message = await loader.refuses(`${host.origin}/p.js`, "local_import");
  assertStringIncludes(message, `imported at ${host.origin}/p.js:1:9`);
  await loader.refuses(`${host.origin}/q.js`, "local_import");
  // What the config itself holds is the operator's own.
  assertEquals((await loader.resolve(disguise)).modules.length, 2);
});

Deno.test("fetchGraph keeps modules from https off plain http, this machine's too", async () => {
  using loader = new Loader({
    fetch: () =>
      Promise.resolve(
        new Response(`import "http://127.0.0.1/x.js";`, {
          headers: { "content-type": "text/javascript" },
        }),
      ),
  });
  await loader.refuses("https://a.example/p.js", "insecure_url");
});

Deno.test("fetchGraph fetches a module once, whoever imports it", async () => {
  await using host = new ModuleHost({
    "/p.js":
      `import "./a.js"; import "./b.js"; import "./c.js"; import "./a.js";`,
    "/a.js": `import "./c.js";`,
    "/b.js": `import "./c.js"; import "./p.js";`,
    "/c.js": "",
  });
  using loader = new Loader();
  await loader.resolve(`${host.origin}/p.js`);
  assertEquals(host.asked.toSorted(), ["/a.js", "/b.js", "/c.js", "/p.js"]);
});
