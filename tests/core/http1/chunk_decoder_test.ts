import { ProxyError } from "../../../core/errors.ts";
import { ChunkDecoder } from "../../../core/http1/chunk_decoder.ts";
import { decodeLatin1, encodeLatin1 } from "../../../core/http1/text.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";

const LIMITS = { headerBytes: 256, headers: 4 };

/** What one decoder makes of the pieces: data, and what is left behind the body. */
function decode(...pieces: string[]) {
  const decoder = new ChunkDecoder("bad_request", LIMITS);
  let data = "";
  let rest = "";
  for (const piece of pieces) {
    const bytes = encodeLatin1(piece);
    const end = decoder.decode(bytes, 0, bytes.length);
    data += decodeLatin1(bytes, decoder.dataStart, decoder.dataEnd);
    rest += decodeLatin1(bytes, end, bytes.length);
  }
  return { data, rest, done: decoder.done };
}

const BODIES: readonly (readonly [string, string])[] = [
  ["0\r\n\r\n", ""],
  ["5\r\nhello\r\n0\r\n\r\n", "hello"],
  ["5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"],
  ["A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789"],
  ["0000000000005\r\nhello\r\n0\r\n\r\n", "hello"],
  ["2\r\n\r\n\r\n0\r\n\r\n", "\r\n"],
  ["1;a\r\nx\r\n0\r\n\r\n", "x"],
  ["1;a=b;c=d\r\nx\r\n0;e\r\n\r\n", "x"],
  ['1;a="b"\r\nx\r\n0\r\n\r\n', "x"],
  ['1;a="\\";\t\xe9\\\\";b\r\nx\r\n0\r\n\r\n', "x"],
  ["1 ;a\r\nx\r\n0\r\n\r\n", "x"],
  ["1 \t; \ta\t = b ; c\r\nx\r\n0\r\n\r\n", "x"],
  ["1;a ;b \t;c\r\nx\r\n0\r\n\r\n", "x"],
  ['1;a= "b" ;c\r\nx\r\n0\r\n\r\n', "x"],
  ["0\r\nA: b\r\nC:\r\n\r\n", ""],
  ["0\r\nContent-Length: 9\r\nHost: b\r\n\r\n", ""],
];

for (const [text, data] of BODIES) {
  Deno.test(`ChunkDecoder decodes ${JSON.stringify(text)}`, () => {
    assertEquals(decode(text), { data, rest: "", done: true });
    assertEquals(decode(...text.split("")), { data, rest: "", done: true });
    for (let cut = 1; cut < text.length; cut++) {
      const pieces = [text.slice(0, cut), text.slice(cut)];
      assertEquals(decode(...pieces), { data, rest: "", done: true });
    }
  });
}

const REFUSED: readonly (readonly [string, string])[] = [
  ["no size", "\r\n"],
  ["an extension without a size", ";a\r\n"],
  ["a negative size", "-1\r\n"],
  ["a size with a sign", "+5\r\n"],
  ["a hexadecimal prefix", "0x5\r\n"],
  ["a space before the size", " 5\r\n"],
  ["a digit that is none", "5g\r\n"],
  ["14 digits", "00000000000005\r\n"],
  ["a digit that is none, an extension behind", "5g;a\r\nhello\r\n"],
  ["a space behind the size", "5 \r\n"],
  ["HTAB behind the size", "5\t\r\n"],
  ["a bare LF behind the size", "5\nhello"],
  ["CR and no LF behind the size", "5\rXhello"],
  ["CR CR LF behind the size", "5\r\r\nhello"],
  ["an underscore in the size", "1_0\r\n"],
  ["no CRLF behind the data", "5\r\nhelloX"],
  ["a bare LF behind the data", "5\r\nhello\n"],
  ["CR and no LF behind the data", "5\r\nhello\rX"],
  ["an empty extension", "5;\r\n"],
  ["two semicolons", "5;;a\r\n"],
  ["an extension without a name", "5;=a\r\n"],
  ["an extension without a value", "5;a=\r\n"],
  ["a space behind an extension", "5;a \r\n"],
  ["a space behind a value", "5;a=b \r\n"],
  ["text behind a quoted value", '5;a="b"c\r\n'],
  ["text behind a quoted value, another behind", '5;a="b"c;d\r\nhello\r\n'],
  ["a separator in a name", "5;a/b\r\nhello\r\n"],
  ["a separator behind a name", "5;a/;b\r\nhello\r\n"],
  ["a separator as a value", "5;a=/\r\nhello\r\n"],
  ["a separator in a value", "5;a=b/\r\nhello\r\n"],
  ["a separator behind a value", "5;a=b/;c\r\nhello\r\n"],
  ["a semicolon as a value", "5;a=;b\r\nhello\r\n"],
  ["CR in an extension", "5;a\rb\r\n"],
  ["LF in an extension", "5;a\nb\r\n"],
  ["NUL in an extension", "5;a\0b\r\n"],
  ["8-bit bytes in an extension's name", "5;\xe9\r\n"],
  ["CRLF in a quoted value", '5;a="x\r\ny"\r\n'],
  ["an escaped CR in a quoted value", '5;a="\\\r"\r\n'],
  ["NUL in a quoted value", '5;a="\0"\r\n'],
  ["a trailer without a colon", "0\r\nbad\r\n\r\n"],
  ["a trailer without a name", "0\r\n: a\r\n\r\n"],
  ["a space before a trailer's colon", "0\r\nA : b\r\n\r\n"],
  ["a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"],
  ["NUL in a trailer", "0\r\nA: b\0\r\n\r\n"],
  ["a bare LF behind a trailer", "0\r\nA: b\n\r\n"],
  ["a bare CR behind a trailer", "0\r\nA: b\rC"],
  ["a bare LF as the last line", "0\r\n\n"],
  ["CR and no LF as the last line", "0\r\n\rX"],
];

for (const [what, text] of REFUSED) {
  Deno.test(`ChunkDecoder refuses ${what}`, () => {
    const error = assertThrows(() => decode(text), ProxyError);
    assertEquals(error.code, "bad_request");
    assertThrows(() => decode(...text.split("")), ProxyError);
  });
}

Deno.test("ChunkDecoder has the code that it was given", () => {
  const decoder = new ChunkDecoder("bad_response", LIMITS);
  const bytes = encodeLatin1("x");
  const error = assertThrows(() => decoder.decode(bytes, 0, 1), ProxyError);
  assertEquals(error.code, "bad_response");
});

Deno.test("ChunkDecoder.decode() leaves what follows the body", () => {
  const next = "GET / HTTP/1.1\r\n";
  assertEquals(decode(`1\r\nx\r\n0\r\n\r\n${next}`), {
    data: "x",
    rest: next,
    done: true,
  });
  assertEquals(decode("0\r\n\r\n", "more"), {
    data: "",
    rest: "more",
    done: true,
  });
});

Deno.test("ChunkDecoder.decode() moves all data of a window together", () => {
  const sizes = [1, 23, 24, 25, 26, 100, 3];
  const data = sizes.map((size, i) => "abcdefg"[i]!.repeat(size));
  const text = data.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
    .join("");
  const bytes = encodeLatin1(`##${text}0\r\n\r\n##`);
  const decoder = new ChunkDecoder("bad_request", LIMITS);
  const end = decoder.decode(bytes, 2, bytes.length);
  assertEquals(end, bytes.length - 2);
  const { dataStart, dataEnd } = decoder;
  assertEquals(decodeLatin1(bytes, dataStart, dataEnd), data.join(""));
  assertEquals(dataStart, 5);
  assert(dataEnd <= end);
});

Deno.test("ChunkDecoder.remaining tells what is left of a chunk", () => {
  const decoder = new ChunkDecoder("bad_request", LIMITS);
  const bytes = encodeLatin1("a\r\n0123");
  decoder.decode(bytes, 0, bytes.length);
  assertEquals(decoder.remaining, 6);
  assertEquals(decoder.done, false);
});

Deno.test("ChunkDecoder takes chunks of up to 2^52-1 bytes", () => {
  const decoder = new ChunkDecoder("bad_request", LIMITS);
  const bytes = encodeLatin1("fffffffffffff\r\nx");
  decoder.decode(bytes, 0, bytes.length);
  assertEquals(decoder.remaining, 2 ** 52 - 2);
});

Deno.test("ChunkDecoder bounds a size line to 1024 bytes", () => {
  const fits = `1;${"a".repeat(1024 - 4)}\r\nx\r\n0\r\n\r\n`;
  assertEquals(decode(fits).data, "x");
  assertThrows(() => decode(`1;a${fits.slice(2)}`), ProxyError, "1024");
});

Deno.test("ChunkDecoder bounds every size line of a body to 1024 bytes", () => {
  const fits = `1;${"a".repeat(1024 - 4)}\r\nx\r\n`;
  assertEquals(decode(fits + fits).data, "xx");
  const error = assertThrows(
    () => decode(fits + fits.replace(";", ";a")),
    ProxyError,
  );
  assertEquals(error.code, "bad_request");
});

Deno.test("ChunkDecoder takes exactly 16 KiB of extensions", () => {
  // A name and the CR behind it count.
  const chunk = (length: number) => `1;${"a".repeat(length - 1)}\r\nx\r\n`;
  const fits = chunk(1020).repeat(16) + chunk(64);
  assertEquals(decode(fits).data, "x".repeat(17));
  assertThrows(() => decode(chunk(1020).repeat(16) + chunk(65)), ProxyError);
});

Deno.test("ChunkDecoder shows nothing before it has decoded", () => {
  const { dataStart, dataEnd, remaining, done } = new ChunkDecoder(
    "bad_request",
    LIMITS,
  );
  assertEquals([dataStart, dataEnd, remaining, done], [0, 0, 0, false]);
});

Deno.test("ChunkDecoder bounds the extensions of a body to 16 KiB", () => {
  const chunk = `1;${"a".repeat(1000)}\r\nx\r\n`;
  assertEquals(decode(chunk.repeat(16)).data, "x".repeat(16));
  assertThrows(() => decode(chunk.repeat(17)), ProxyError, "16384");
});

Deno.test("ChunkDecoder bounds trailers by the limits of heads", () => {
  assertEquals(decode(`0\r\n${"A: b\r\n".repeat(4)}\r\n`).done, true);
  const many = assertThrows(
    () => decode(`0\r\n${"A: b\r\n".repeat(5)}\r\n`),
    ProxyError,
  );
  assertEquals(many.code, "headers_too_large");
  const fits = `0\r\nA: ${"b".repeat(256 - 7)}\r\n\r\n`;
  assertEquals(decode(fits).done, true);
  assertThrows(() => decode(fits.replace("b", "bb")), ProxyError, "256");
});

Deno.test("ChunkDecoder calls a backend's large trailers by its side", () => {
  const decoder = new ChunkDecoder("bad_response", LIMITS);
  const bytes = encodeLatin1(`0\r\n${"A: b\r\n".repeat(5)}\r\n`);
  const error = assertThrows(
    () => decoder.decode(bytes, 0, bytes.length),
    ProxyError,
  );
  assertEquals(error.code, "response_too_large");
});
