/**
 * Every byte at every place of the grammar: it is taken or refused at once, not
 * when more has come. The sets are written down here anew, from RFC 9110 and
 * 9112.
 */
import { ProxyError } from "../../../core/errors.ts";
import { ChunkDecoder } from "../../../core/http1/chunk_decoder.ts";
import { HeadIndex } from "../../../core/http1/head_index.ts";
import { parseRequestHead } from "../../../core/http1/request_parser.ts";
import { parseResponseHead } from "../../../core/http1/response_parser.ts";
import { encodeLatin1 } from "../../../core/http1/text.ts";
import { assertEquals } from "../../support/assert.ts";
import { LIMITS } from "./codec.ts";

const TOKEN = "!#$%&'*+\\-.^_`|~0-9A-Za-z";
const VALUE = "\\t\\x20-\\x7e\\x80-\\xff";
const TARGET = '!"$-~';
const HEX = "0-9A-Fa-f";
const QUOTED = "\\t\\x20!#-\\[\\]-~\\x80-\\xff";

/** What has come, and the bytes that may come next, as a class of regular expressions. */
type Place = readonly [string, string];

const LINE = "GET / HTTP/1.1\r\n";
const GET = `${LINE}Host: a\r\n`;

const REQUESTS: readonly Place[] = [
  // CR may be an empty line's: who calls skips those.
  ["", `${TOKEN}\\r`],
  ["G", `${TOKEN} `],
  ["GET ", TARGET],
  ["GET /", `${TARGET} `],
  ["GET / ", "H"],
  ["GET / H", "T"],
  ["GET / HT", "T"],
  ["GET / HTT", "P"],
  ["GET / HTTP", "/"],
  ["GET / HTTP/", "1"],
  ["GET / HTTP/1", "."],
  ["GET / HTTP/1.", "0-9"],
  ["GET / HTTP/1.1", "\\r"],
  ["GET / HTTP/1.9", "\\r"],
  ["GET / HTTP/1.1\r", "\\n"],
  ["POST /?a HTTP/1.0\r", "\\n"],
];

const RESPONSES: readonly Place[] = [
  ["", "H"],
  ["H", "T"],
  ["HT", "T"],
  ["HTT", "P"],
  ["HTTP", "/"],
  ["HTTP/", "1"],
  ["HTTP/1", "."],
  ["HTTP/1.", "0-9"],
  ["HTTP/1.1", " "],
  ["HTTP/1.0", " "],
  ["HTTP/1.1 ", "0-9"],
  ["HTTP/1.1 2", "0-9"],
  ["HTTP/1.1 20", "0-9"],
  ["HTTP/1.1 200", " \\r"],
  ["HTTP/1.1 200 ", `${VALUE}\\r`],
  ["HTTP/1.1 200 O", `${VALUE}\\r`],
  ["HTTP/1.1 200\r", "\\n"],
  ["HTTP/1.1 200 OK\r", "\\n"],
  // The status is judged with the byte behind it.
  ["HTTP/1.1 099", ""],
  ["HTTP/1.1 100", " \\r"],
  ["HTTP/1.1 599", " \\r"],
  ["HTTP/1.1 600", ""],
];

/** Behind a start line. */
const FIELDS: readonly Place[] = [
  ["", `${TOKEN}\\r`],
  ["X", `${TOKEN}:`],
  ["X:", `${VALUE}\\r`],
  ["X: ", `${VALUE}\\r`],
  ["X:\t", `${VALUE}\\r`],
  ["X: y", `${VALUE}\\r`],
  // Longer ones are looked at four bytes at a time, from any place on.
  ...[31, 32, 33, 34, 35, 36, 64, 65, 66, 67].map((length): Place => [
    `X: ${"y".repeat(length)}`,
    `${VALUE}\\r`,
  ]),
  ["X: y\r", "\\n"],
  ["X:\r", "\\n"],
  ["X: y\r\n", `${TOKEN}\\r`],
  ["X: y\r\nZ", `${TOKEN}:`],
  ["X: y\r\n\r", "\\n"],
];

const CHUNKS: readonly Place[] = [
  ["", HEX],
  ["5", `${HEX} \\t;\\r`],
  ["5 ", " \\t;"],
  ["5\t", " \\t;"],
  ["5;", ` \\t${TOKEN}`],
  ["5; ", ` \\t${TOKEN}`],
  ["5;a", `${TOKEN} \\t=;\\r`],
  ["5;a ", " \\t=;"],
  ["5;a=", ` \\t"${TOKEN}`],
  ["5;a= ", ` \\t"${TOKEN}`],
  ["5;a=b", `${TOKEN} \\t;\\r`],
  ["5;a=b ", " \\t;"],
  ['5;a="', `${QUOTED}"\\\\`],
  ['5;a="b', `${QUOTED}"\\\\`],
  ['5;a="\\', VALUE],
  ['5;a="\\"', `${QUOTED}"\\\\`],
  ['5;a="b"', " \\t;\\r"],
  ['5;a="b" ', " \\t;"],
  ["5\r", "\\n"],
  ["5;a\r", "\\n"],
  ['5;a="b"\r', "\\n"],
  ["1\r\nx", "\\r"],
  ["1\r\nx\r", "\\n"],
  ["1\r\nx\r\n", HEX],
  ["0\r\n", `${TOKEN}\\r`],
  ["0\r\nX", `${TOKEN}:`],
  ["0\r\nX:", `${VALUE}\\r`],
  ["0\r\nX: y", `${VALUE}\\r`],
  ["0\r\nX: y\r", "\\n"],
  ["0\r\nX: y\r\n", `${TOKEN}\\r`],
  ["0\r\n\r", "\\n"],
  ["0\r\nX: y\r\n\r", "\\n"],
];

/** Reads bytes, those up to `first` alone before all of them; throws where they can't be a beginning. */
type Read = (bytes: Uint8Array, first: number) => void;

const readRequest: Read = (bytes, first) => {
  const index = new HeadIndex(9);
  for (const end of [first, bytes.length]) {
    parseRequestHead(bytes, 0, end, LIMITS, index);
  }
};
const readResponse: Read = (bytes, first) => {
  const index = new HeadIndex(9);
  for (const end of [first, bytes.length]) {
    parseResponseHead(bytes, 0, end, LIMITS, index);
  }
};
const readChunks: Read = (bytes, first) => {
  const decoder = new ChunkDecoder("bad_request", LIMITS);
  decoder.decode(bytes, 0, first);
  decoder.decode(bytes, first, bytes.length);
};

/** Whether these bytes may begin what is read. */
function isTaken(read: Read, text: string, first: number): boolean {
  try {
    read(encodeLatin1(text), first);
    return true;
  } catch (thrown) {
    if (thrown instanceof ProxyError) return false;
    throw thrown;
  }
}

function check(
  what: string,
  read: Read,
  places: readonly Place[],
  before = "",
) {
  for (const [prefix, legal] of places) {
    const text = before + prefix;
    Deno.test(`${what}: what may follow ${JSON.stringify(text.slice(-24))}`, () => {
      assertEquals(isTaken(read, text, 0), true, "what precedes is refused");
      const pattern = legal === "" ? /(?!)/ : new RegExp(`[${legal}]`);
      const wrong: string[] = [];
      for (let byte = 0; byte < 256; byte++) {
        const char = String.fromCharCode(byte);
        // All at once, and the byte alone.
        for (const first of [0, text.length]) {
          const taken = isTaken(read, text + char, first);
          if (taken === pattern.test(char)) continue;
          wrong.push(
            `${JSON.stringify(char)} is ${taken ? "taken" : "refused"}`,
          );
        }
      }
      assertEquals(wrong, []);
    });
  }
}

check("a request", readRequest, REQUESTS);
check("a request's fields", readRequest, FIELDS, GET);
check("a request's first field", readRequest, FIELDS.slice(0, 6), LINE);
check("a response", readResponse, RESPONSES);
check("a response's fields", readResponse, FIELDS, "HTTP/1.1 200 OK\r\n");
check("chunks", readChunks, CHUNKS);

Deno.test("a request: the digits of other versions say so", () => {
  for (const digit of "23456789") {
    const text = `GET / HTTP/${digit}`;
    try {
      readRequest(encodeLatin1(text), 0);
      throw new Error(`${text} was taken`);
    } catch (thrown) {
      if (!(thrown instanceof ProxyError)) throw thrown;
      assertEquals(thrown.code, "version_not_supported");
    }
  }
});
