/**
 * What a ClientHello asks for, however it comes, and what is none.
 */
import fc from "fast-check";
import { ProxyError } from "../../../core/errors.ts";
import { ClientHelloReader } from "../../../core/tls/client_hello.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { bytesOf, join } from "../../support/byte_streams.ts";
import {
  clientHello,
  inRecords,
  realClientHello,
  record,
  serverNames,
  vector,
} from "../../support/client_hello_bytes.ts";

/** What comes of bytes that arrive in these pieces: a name, `-` for none, `more`, or why not. */
function outcome(pieces: readonly Uint8Array[]): string {
  const reader = new ClientHelloReader();
  let held = new Uint8Array(0);
  try {
    for (const piece of pieces) {
      // As a socket's buffer does, which may be another one each time.
      held = join([held, piece]) as Uint8Array<ArrayBuffer>;
      const hello = reader.read(held);
      if (hello !== undefined) return hello.serverName ?? "-";
    }
    return "more";
  } catch (thrown) {
    assert(thrown instanceof ProxyError, String(thrown));
    return `${thrown.code}: ${thrown.message}`;
  }
}

function named(...names: string[]): Uint8Array {
  return inRecords(clientHello({ names }));
}

Deno.test("ClientHelloReader tells the name that a client asks for, in its one spelling", () => {
  assertEquals(outcome([named("db.example.com")]), "db.example.com");
  assertEquals(outcome([named("DB.Example.COM")]), "db.example.com");
  assertEquals(outcome([named("db.example.com.")]), "db.example.com");
  assertEquals(
    outcome([named("_db.xn--bcher-kva.example")]),
    "_db.xn--bcher-kva.example",
  );
  // RFC 6066 §3 has no addresses, some clients send them anyway.
  assertEquals(outcome([named("127.0.0.1")]), "127.0.0.1");
  assertEquals(outcome([named("::1")]), "::1");
});

Deno.test("ClientHelloReader tells that a client asks for no name, or has no extensions", () => {
  assertEquals(outcome([inRecords(clientHello())]), "-");
  assertEquals(
    outcome([inRecords(clientHello({ tail: new Uint8Array(0) }))]),
    "-",
  );
});

Deno.test("ClientHelloReader reads what this Deno sends", async () => {
  const hello = await realClientHello("api.example.com");
  assertEquals(outcome([hello]), "api.example.com");
  assertEquals(outcome([await realClientHello("127.0.0.1")]), "-");
});

Deno.test("ClientHelloReader leaves what follows in records of its own alone", () => {
  const early = record(23, new Uint8Array(100));
  assertEquals(outcome([join([named("a.test"), early])]), "a.test");
  assertEquals(outcome([join([named("a.test"), bytesOf("GET /")])]), "a.test");
});

Deno.test("ClientHelloReader takes a ClientHello cut at any byte, and byte by byte", async () => {
  const message = clientHello({
    names: ["cut.example.com"],
    extensions: [[16, vector(vector(bytesOf("http/1.1"), 1), 2)]],
  });
  const samples = [
    inRecords(message),
    inRecords(message, [1, 1, 1, 1, 1]),
    inRecords(message, [3, 2, 30, 1, 7]),
    await realClientHello("cut.example.com"),
  ];
  for (const bytes of samples) {
    for (let cut = 1; cut < bytes.length; cut++) {
      const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
      assertEquals(outcome(pieces.slice(0, 1)), "more", `cut at ${cut}`);
      assertEquals(outcome(pieces), "cut.example.com", `cut at ${cut}`);
    }
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
    assertEquals(outcome(single), "cut.example.com");
  }
});

Deno.test("ClientHelloReader takes any division into records and reads", () => {
  const host = fc.stringMatching(/^[a-z0-9]{1,20}(\.[a-z]{1,20}){1,4}$/);
  const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 40 });
  fc.assert(fc.property(host, sizes, sizes, (name, records, reads) => {
    const bytes = inRecords(clientHello({ names: [name] }), records);
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const size of [...reads, bytes.length]) {
      pieces.push(bytes.subarray(at, at + size));
      at += size;
    }
    assertEquals(outcome(pieces), name);
  }));
});

Deno.test("ClientHelloReader knows at the first byte or two that a client does not speak TLS", () => {
  for (
    const text of [
      "G",
      "SSH-2.0-x",
      "\0\0\0\x08",
      "\x80\x2e\x01\x03\x01",
      "\x16\x02",
    ]
  ) {
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    assert(outcome([bytes]).startsWith("not_tls: "), text);
  }
  assertEquals(outcome([Uint8Array.of(22)]), "more");
});

Deno.test("ClientHelloReader refuses what is no ClientHello, with the reason", () => {
  const message = clientHello({ names: ["a.test"] });
  const broken = (tail: Uint8Array) => inRecords(clientHello({ tail }));
  const sni = (body: Uint8Array) =>
    inRecords(clientHello({ extensions: [[0, body]] }));
  const cases: readonly (readonly [Uint8Array, string])[] = [
    [
      inRecords(Uint8Array.of(2, 0, 0, 1, 0)),
      "is a handshake message of type 2",
    ],
    [
      join([record(22, message.subarray(0, 9)), record(23, message)]),
      "is interrupted by a record of type 23",
    ],
    [record(22, new Uint8Array(0)), "has a record of 0 bytes"],
    [record(22, new Uint8Array(0x4001).fill(1)), "has a record of 16385 bytes"],
    [record(22, join([message, message])), "is followed by more in its record"],
    [broken(Uint8Array.of(0)), "is broken: it ends within its extensions"],
    [
      broken(Uint8Array.of(0, 2, 0, 0)),
      "is broken: it ends within its extension",
    ],
    [
      broken(Uint8Array.of(0, 0, 9)),
      "is broken: something follows the ClientHello",
    ],
    [
      broken(Uint8Array.of(0, 4, 0, 5, 0, 1)),
      "is broken: it ends within its extension",
    ],
    [
      inRecords(
        clientHello({ extensions: [[5, bytesOf("x")], [5, bytesOf("x")]] }),
      ),
      "has extension 5 twice",
    ],
    [
      inRecords(
        clientHello({
          names: ["a.test"],
          extensions: [[0, serverNames(["b.test"])]],
        }),
      ),
      "has extension 0 twice",
    ],
    [sni(new Uint8Array(0)), "is broken: it ends within its server names"],
    [
      sni(vector(new Uint8Array(0), 2)),
      "is broken: it ends within its server name",
    ],
    [
      sni(serverNames(["a.test", "b.test"])),
      "is broken: something follows the list of server names",
    ],
    [
      sni(join([serverNames(["a.test"]), Uint8Array.of(0)])),
      "is broken: something follows the server_name extension",
    ],
    [sni(serverNames(["a.test"], 1)), "has a server name of type 1"],
    [named(""), "asks for what is no host name"],
    [named("a b"), "asks for what is no host name"],
    [named("a.test\0.evil"), "asks for what is no host name"],
    [named("bücher.example"), "asks for what is no host name"],
    [named("x".repeat(300)), "asks for what is no host name"],
  ];
  for (const [bytes, reason] of cases) {
    assertEquals(
      outcome([bytes]),
      `bad_client_hello: The ClientHello ${reason}`,
    );
  }
});

Deno.test("ClientHelloReader bounds what it waits for", () => {
  const exceeded = "bad_client_hello: The ClientHello exceeds 32768 bytes";
  // 1 MiB is told by its first bytes.
  assertEquals(outcome([record(22, Uint8Array.of(1, 0x10, 0, 0))]), exceeded);
  const large = clientHello({
    names: ["large.test"],
    extensions: [[21, new Uint8Array(30_000)]],
  });
  assertEquals(outcome([inRecords(large, [16_384, 16_384])]), "large.test");
  // Records of a byte each cost more than they bring.
  const crumbs = inRecords(large.subarray(0, 8_000), new Array(8_000).fill(1));
  assertEquals(outcome([crumbs]), exceeded);
});

Deno.test("ClientHelloReader looks at each record once, however often it is asked", () => {
  const message = clientHello({
    names: ["slow.test"],
    extensions: [[21, new Uint8Array(5_000)]],
  });
  const bytes = inRecords(message, new Array(message.length).fill(1));
  const reader = new ClientHelloReader();
  const start = performance.now();
  let hello;
  for (let length = 1; length <= bytes.length; length++) {
    hello = reader.read(bytes.subarray(0, length));
  }
  assertEquals(hello?.serverName, "slow.test");
  // 30,000 calls over 5,000 records: quadratic would take seconds.
  assert(performance.now() - start < 1_000);
});

Deno.test("ClientHelloReader never throws anything but its own refusals", () => {
  const bytes = fc.uint8Array({ maxLength: 600 });
  fc.assert(
    fc.property(bytes, (garbage) => {
      outcome([garbage]);
      outcome([inRecords(garbage)]);
      outcome([inRecords(join([Uint8Array.of(1), vector(garbage, 3)]))]);
      outcome([inRecords(clientHello({ tail: garbage }))]);
      outcome([inRecords(clientHello({ extensions: [[0, garbage]] }))]);
    }),
    { numRuns: 500 },
  );
});

Deno.test("ClientHelloReader reads the same out of a ClientHello with one byte changed, or refuses it", () => {
  const hello = named("changed.example.com");
  const at = fc.integer({ min: 0, max: hello.length - 1 });
  fc.assert(
    fc.property(at, fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const changed = hello.slice();
      changed[at] = byte;
      outcome([changed]);
      const single = Array.from(changed, (byte) => Uint8Array.of(byte));
      assertEquals(outcome(single), outcome([changed]));
    }),
    { numRuns: 500 },
  );
});
