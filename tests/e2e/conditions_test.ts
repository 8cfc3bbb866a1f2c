/**
 * Conditions on what only a real connection and living plugins tell.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin, inlinePlugin } from "../support/inline_plugin.ts";
import { startProxyWith } from "../support/proxy_with.ts";

/** A rule that answers with its condition; before it come some that never match, so that an index is used. */
function answering(...conditions: readonly string[]) {
  const others = Array.from({ length: 20 }, (_, i) => ({
    when: `req_path_in("/other/${i}", false)`,
    respond: { status: 500 },
  }));
  return [
    ...others,
    ...conditions.map((when) => ({
      when,
      respond: { status: 200, body: when },
    })),
    { respond: { status: 404 } },
  ];
}

Deno.test("rules go by the connection's two addresses, not by what a client says", async () => {
  const ranges = [
    'ses_sip_range("127.0.0.2", "127.255.255.255")',
    'req_vip_in("127.0.0.2")',
    'ses_sip_range("127.0.0.1", "127.0.0.1") && ses_vip_range("127.0.0.1", "127.0.0.1") && req_vip_range("127.0.0.0", "127.0.0.9") && req_vip_in("::1|127.0.0.1")',
  ];
  await using proxy = await startProxyWith({
    products: [{ name: "all", default: true, rules: answering(...ranges) }],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 127.0.0.2\r\n\r\n",
  );

  assertEquals((await client.response()).text, ranges[2]);
});

Deno.test("the client's address is what a trusted peer says, and for rules too", async () => {
  const client = 'req_cip_range("192.0.2.7", "192.0.2.7")';
  const conditions = [
    `req_cip_trusted() && ${client}`,
    client,
    'req_cip_trusted() && ses_sip_range("127.0.0.1", "127.0.0.1")',
    'req_cip_range("127.0.0.1", "127.0.0.1") && !req_cip_trusted()',
  ];
  const products = [{
    name: "all",
    default: true,
    rules: answering(...conditions),
  }];
  await using trusting = await startProxyWith({
    listener: { trusted: ["127.0.0.1"], hops: 2 },
    products,
  });
  await using strict = await startProxyWith({
    listener: { trusted: ["10.0.0.0/8"] },
    products,
  });
  const answer = async (port: number, ...lines: string[]) => {
    using http = await HttpClient.connect(port);
    await http.send(
      `GET / HTTP/1.1\r\nHost: a\r\n${
        lines.map((line) => `${line}\r\n`).join("")
      }\r\n`,
    );
    return conditions.indexOf((await http.response()).text);
  };
  const rows: readonly (readonly [number, readonly string[]])[] = [
    [0, ["X-Forwarded-For: 192.0.2.7"]],
    [0, ["Forwarded: for=192.0.2.7;proto=https"]],
    // The outermost trusted proxy's word, whatever its client wrote before.
    [0, ["X-Forwarded-For: 10.9.9.9, 192.0.2.7, 127.0.0.1"]],
    [2, ["X-Forwarded-For: 192.0.2.7, 10.9.9.9, 127.0.0.1"]],
    [2, []],
    [2, ["X-Real-IP: 192.0.2.7", "Client-IP: 192.0.2.7"]],
  ];
  for (const [place, lines] of rows) {
    assertEquals([lines, await answer(trusting.port(), ...lines)], [
      lines,
      place,
    ]);
    assertEquals([lines, await answer(strict.port(), ...lines)], [lines, 3]);
  }
});

Deno.test("no header moves the clock that rules go by", async () => {
  const past = 'bfe_time_range("20190204203000H", "20190204204500H")';
  await using proxy = await startProxyWith({
    products: [{ name: "all", default: true, rules: answering(past) }],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.1\r\nHost: a\r\nX-Bfe-Debug-Time: 20190204203000H\r\n\r\n",
  );

  assertEquals((await client.response()).status, 404);
});

Deno.test("rules go by what a plugin left in the transaction", async () => {
  const marks = handlersPlugin("marks", {
    foundProduct: (request) => {
      const country = request.parameter("from");
      request.transaction.data.set("country", country);
      request.tags.set("device", ["phone"]);
    },
  });
  const conditions = [
    'req_context_value_in("country", "de|at", true)',
    'req_context_value_in("country", "ch", false) && req_tag_match("device", "phone")',
  ];
  await using proxy = await startProxyWith({
    plugins: [marks],
    products: [{ name: "all", default: true, rules: answering(...conditions) }],
  });
  using client = await HttpClient.connect(proxy.port());

  assertEquals((await client.get("/?from=DE")).text, conditions[0]);
  assertEquals((await client.get("/?from=ch")).text, conditions[1]);
  assertEquals((await client.get("/?from=CH")).status, 404);
});

Deno.test("rules go by the entry of hosts that a request's host belongs to", async () => {
  const conditions = [
    'req_host_tag_in("*.example.com|[::1]")',
    'req_host_tag_in("*.a.example.com")',
  ];
  await using proxy = await startProxyWith({
    products: [{
      name: "all",
      hosts: ["example.com", "*.example.com", "*.A.example.com", "[0::1]"],
      rules: answering(...conditions),
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  const get = async (host: string) => (await client.get("/", host)).text;

  assertEquals(await get("www.EXAMPLE.com."), conditions[0]);
  assertEquals(await get("[::1]"), conditions[0]);
  assertEquals(await get("x.a.example.com:80"), conditions[1]);
  assertEquals((await client.get("/", "example.com")).status, 404);
});

Deno.test("a plugin's condition that fails is met where the rules before it don't match, and nowhere else", async () => {
  const use = inlinePlugin({
    name: "fails",
    setup: () => ({
      conditions: {
        fails: () => () => {
          throw new Error("no");
        },
      },
    }),
  });
  const conditions = [
    'req_path_in("/before", false)',
    'req_path_prefix_in("/guarded", false) && fails()',
    'req_path_prefix_in("/", false)',
  ];
  await using proxy = await startProxyWith({
    plugins: [{ use }],
    products: [{ name: "all", default: true, rules: answering(...conditions) }],
  });
  using client = await HttpClient.connect(proxy.port());

  assertEquals((await client.get("/before")).text, conditions[0]);
  assertEquals((await client.get("/guarded/x")).status, 500);
  assertEquals((await client.get("/after")).text, conditions[2]);
});

Deno.test("the rule that the page has against paths that backends read otherwise lets none of them by, and all others", async () => {
  const page = await Deno.readTextFile(
    new URL("../../config/conditions.md", import.meta.url),
  );
  const when = /- when: '(req_path_regmatch.*)'/.exec(page)![1]!;
  await using proxy = await startProxyWith({
    products: [{
      name: "all",
      default: true,
      rules: [
        { when, respond: { status: 400 } },
        { respond: { status: 200 } },
      ],
    }],
  });
  using client = await HttpClient.connect(proxy.port());
  const statusOf = async (path: string) => {
    await client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return (await client.response()).status;
  };
  const otherwise = [
    "/public/../admin/",
    "/public/%2e%2E/admin/",
    "/public%2f..%2fadmin",
    "/./admin/",
    "/admin/.",
    "/admin/..",
    "/public/..;a=b/admin/",
    "//admin/",
    "/public//admin/",
    "/%2fadmin/",
    "/public/..%5cadmin",
    "/public/%5c../admin",
  ];
  for (const path of otherwise) assertEquals(await statusOf(path), 400, path);
  for (const path of ["/", "/a..b/", "/.well-known/x", "/...", "/a;b/c?x=//"]) {
    assertEquals(await statusOf(path), 200, path);
  }
});
