/**
 * The `ws` package on both sides of Headrace: a second opinion on its frames,
 * and on what of the two handshakes fits together.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { AddressInfo } from "node:net";
import { WebSocket as WsClient, WebSocketServer } from "ws";
import { assert, assertEquals } from "../support/assert.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { RUNTIMES, tlsSite } from "../support/tls_site.ts";

/** What `ws` says of a message. */
interface Heard {
  readonly data: Uint8Array;
  readonly binary: boolean;
}

/** A server of `ws`' that sends each message back, and notes how connections end. */
async function serveWs(options: object = {}) {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: true,
    ...options,
  });
  await new Promise<void>((resolve) => server.on("listening", () => resolve()));
  const closed: (readonly [code: number, reason: string])[] = [];
  const protocols: string[] = [];
  const extensions: string[] = [];
  // deno-lint-ignore no-explicit-any
  server.on("connection", (socket: any) => {
    protocols.push(socket.protocol);
    extensions.push(socket.extensions);
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      const text = isBinary ? "" : data.toString();
      const [, code, reason] = /^close (\d+) (.*)$/.exec(text) ?? [];
      if (code !== undefined) socket.close(Number(code), reason);
      else if (text === "fragments") {
        socket.send("one,", { fin: false });
        socket.send("two,", { fin: false });
        socket.ping("between");
        socket.send("three", { fin: true });
      } else socket.send(data, { binary: isBinary });
    });
    socket.on("close", (code: number, reason: Buffer) => {
      closed.push([code, reason.toString()]);
    });
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    closed,
    protocols,
    extensions,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A client of `ws`'. */
class Client implements AsyncDisposable {
  // deno-lint-ignore no-explicit-any
  readonly socket: any;
  readonly closed: Promise<readonly [code: number, reason: string]>;
  readonly #heard: Heard[] = [];
  readonly #waiting: ((heard: Heard) => void)[] = [];

  private constructor(url: string, protocols: string[], options: object) {
    this.socket = new WsClient(url.replace("http", "ws"), protocols, options);
    this.closed = new Promise((resolve) => {
      this.socket.on(
        "close",
        (code: number, reason: Buffer) => resolve([code, reason.toString()]),
      );
    });
    this.socket.on("message", (data: Buffer, binary: boolean) => {
      const heard = { data: new Uint8Array(data), binary };
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#heard.push(heard);
      else waiting(heard);
    });
  }

  static async open(
    url: string,
    protocols: string[] = [],
    options: object = {},
  ): Promise<Client> {
    const client = new Client(url, protocols, options);
    await new Promise<void>((resolve, reject) => {
      client.socket.on("open", () => resolve());
      client.socket.on("error", reject);
    });
    return client;
  }

  next(): Promise<Heard> {
    const heard = this.#heard.shift();
    if (heard !== undefined) return Promise.resolve(heard);
    return inTime(
      "a message",
      new Promise((resolve) => this.#waiting.push(resolve)),
    );
  }

  async ask(data: string | Uint8Array): Promise<Heard> {
    this.socket.send(data);
    return await this.next();
  }

  async [Symbol.asyncDispose]() {
    this.socket.terminate();
    await this.closed;
  }
}

function textOf({ data, binary }: Heard): string {
  assert(!binary);
  return new TextDecoder().decode(data);
}

Deno.test("ws: messages of every length and kind pass through, in order, compression declined", async () => {
  await using server = await serveWs();
  await using proxy = await startProxyWith({ backends: [server.url] });
  await using client = await Client.open(proxy.url("/x"), ["s2", "s1"]);
  assertEquals([client.socket.protocol, client.socket.extensions], ["s2", ""]);
  assertEquals([server.protocols, server.extensions], [["s2"], [""]]);
  for (
    const length of [0, 1, 125, 126, 127, 65_535, 65_536, 300_000, 2_000_000]
  ) {
    const bytes = new Uint8Array(length).map((_, i) => i % 251);
    const heard = await client.ask(bytes);
    assert(heard.binary);
    assert(Buffer.compare(heard.data, bytes) === 0, `${length}`);
    const text = "é".repeat(length >> 1);
    assertEquals(textOf(await client.ask(text)).length, text.length);
  }
  for (let i = 0; i < 500; i++) client.socket.send(`${i}`);
  for (let i = 0; i < 500; i++) {
    assertEquals(textOf(await client.next()), `${i}`);
  }
});

Deno.test("ws: fragments come as one message, with control frames between them", async () => {
  await using server = await serveWs();
  await using proxy = await startProxyWith({ backends: [server.url] });
  await using client = await Client.open(proxy.url());
  assertEquals(textOf(await client.ask("fragments")), "one,two,three");
  const pong = new Promise<string>((resolve) =>
    client.socket.on("pong", (data: Buffer) => resolve(data.toString()))
  );
  client.socket.send("a", { fin: false });
  client.socket.ping("within");
  client.socket.send("b", { fin: false });
  client.socket.send("c", { fin: true });
  assertEquals(textOf(await client.next()), "abc");
  assertEquals(await inTime("a Pong", pong), "within");
});

Deno.test("ws: close codes and reasons pass both ways", async () => {
  await using server = await serveWs();
  await using proxy = await startProxyWith({ backends: [server.url] });
  for (const code of [1000, 1003, 1008, 3000, 4999]) {
    await using client = await Client.open(proxy.url());
    client.socket.send(`close ${code} because ${code}`);
    assertEquals(await inTime("the Close", client.closed), [
      code,
      `because ${code}`,
    ]);
    await using other = await Client.open(proxy.url());
    await other.ask("up");
    await eventually("the first one's end", () => server.closed.length > 0);
    server.closed.length = 0;
    other.socket.close(code, "mine");
    // The answer to a Close needs to say no more than its code.
    assertEquals(await inTime("the Close", other.closed), [code, ""]);
    await eventually("the backend's Close", () => server.closed.length > 0);
    assertEquals(server.closed, [[code, "mine"]]);
  }
});

Deno.test("ws: what is too large or no UTF-8 ends with 1009 and 1007, and the backend is told 1001", async () => {
  await using server = await serveWs();
  await using proxy = await startProxyWith({
    backends: [server.url],
    cluster: { websocket: { maxMessage: "64KiB" } },
  });
  await using large = await Client.open(proxy.url());
  await large.ask(new Uint8Array(65_536));
  large.socket.send(new Uint8Array(65_537));
  assertEquals((await inTime("the Close", large.closed))[0], 1009);
  await using broken = await Client.open(proxy.url());
  await broken.ask("up");
  // `ws` sends bytes as text where it is told so, whatever they are.
  broken.socket.send(new Uint8Array([0xc3, 0x28]), { binary: false });
  assertEquals((await inTime("the Close", broken.closed))[0], 1007);
  await eventually("both backends' ends", () => server.closed.length === 2);
  assertEquals(server.closed.map(([code]) => code), [1001, 1001]);
});

for (const { name, plugins } of RUNTIMES) {
  Deno.test(`ws: a session over TLS on ${name} goes on where its backend goes`, async () => {
    await using site = await tlsSite();
    const first = await serveWs();
    await using second = await serveWs();
    await using proxy = await startProxyWith({
      backends: [first.url, second.url],
      cluster: { balance: "first" },
      listener: { tls: { certificates: site.single } },
      plugins,
    });
    await using client = await Client.open(
      proxy.url("/x").replace("http:", "https:"),
      [],
      { ca: site.ca.cert, checkServerIdentity: () => undefined },
    );
    assertEquals(textOf(await client.ask("1")), "1");
    await first[Symbol.asyncDispose]();
    const large = "x".repeat(300_000);
    assertEquals(textOf(await client.ask(large)), large);
    client.socket.send("close 4001 bye");
    assertEquals(await inTime("the close", client.closed), [4001, "bye"]);
  });
}
