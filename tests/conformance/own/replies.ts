/**
 * How responses are framed anew, and what of them ends here (RFC 9112 §6.3, RFC
 * 9110 §7.6.1).
 *
 * @module
 */
import type { Http1Case } from "../cases.ts";
import { answered, CHUNKED, GET, NEXT, OK, replied } from "./make.ts";

const LENGTH = "Content-Length: 2\r\n";
const HEAD = "HTTP/1.1 200 OK\r\n";

const framed: Http1Case[] = [
  replied(
    "M211",
    "equal lengths become one",
    "9110§8.6",
    `${HEAD}${LENGTH}content-length: 02\r\n\r\nok`,
    "200|502",
    {
      outno: ["(?is)content-length:.*content-length:.*ok$"],
    },
  ),
  replied(
    "M212",
    "extensions and trailers end here",
    "9112§7.1.1; 9110§6.5.1",
    `${HEAD}${CHUNKED}\r\n2;a=b\r\nok\r\n0;c\r\nX: y\r\nSet-Cookie: a=b\r\n\r\n`,
    "200",
    {
      outre: ["ok"],
      outno: [";", "(?i)set-cookie", "\\nX: y"],
      okframe: true,
    },
  ),
  answered(
    "M213",
    "chunks to HTTP/1.0",
    "9112§6.1",
    "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    "200",
    {
      backend: [`${HEAD}${CHUNKED}\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`],
      expect: {
        close: true,
        outre: ["\\r\\n\\r\\nhello world$"],
        outno: ["(?i)chunked"],
      },
    },
  ),
  answered(
    "M214",
    "an unknown length to HTTP/1.0",
    "9112§6.3(8)",
    "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    "200",
    {
      backend: [{ close: `${HEAD}\r\nhello` }],
      expect: {
        close: true,
        outre: ["\\r\\n\\r\\nhello$"],
        outno: ["(?i)chunked"],
      },
    },
  ),
  answered(
    "M215",
    "an unknown length leaves the client's connection",
    "9112§7",
    [`${GET}\r\n`, 0.2, NEXT],
    ["200", "200"],
    {
      backend: [{ close: `${HEAD}\r\nhello` }, OK],
      expect: { ups: 2, outre: ["hello"], okframe: true },
    },
  ),
  replied(
    "M216",
    "an empty body of unknown length",
    "9112§6.3(8)",
    { close: `${HEAD}\r\n` },
    "200",
    { okframe: true },
  ),
  replied(
    "M217",
    "a status without meaning",
    "9110§15",
    `HTTP/1.1 299 \xe4\t!\r\n${LENGTH}\r\nok`,
    "299",
    {
      outre: ["^HTTP/1\\.1 299 \\xe4\\t!\\r\\n"],
    },
  ),
  replied(
    "M218",
    "a reason that is empty",
    "9112§4",
    `HTTP/1.1 200 \r\n${LENGTH}\r\nok`,
    "200",
  ),
  replied(
    "M219",
    "HTTP/1.9",
    "9110§2.5",
    `HTTP/1.9 200 OK\r\n${LENGTH}\r\nok`,
    "200",
    { outre: ["^HTTP/1\\.1 200 OK\\r\\n"] },
  ),
  replied(
    "M220",
    "8-bit bytes in a value",
    "9110§5.5",
    `${HEAD}X: \x80\xff\r\n${LENGTH}\r\nok`,
    "200",
    { outre: ["\\r\\nX: \\x80\\xff\\r\\n"] },
  ),
  replied(
    "M221",
    "zeros before a size",
    "9112§7.1",
    `${HEAD}${CHUNKED}\r\n0002\r\nok\r\n000\r\n\r\n`,
    "200",
    { okframe: true },
  ),
  answered(
    "M222",
    "HTTP/1.0 with keep-alive is used again",
    "9112§9.3",
    [`${GET}\r\n`, 0.2, NEXT],
    ["200", "200"],
    {
      backend: [
        `HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n${LENGTH}\r\nok`,
        OK,
      ],
      expect: { ups: 1 },
    },
  ),
  answered(
    "M223",
    "HTTP/1.0 is not used again",
    "9112§9.3",
    [`${GET}\r\n`, 0.2, NEXT],
    ["200", "200"],
    {
      backend: [`HTTP/1.0 200 OK\r\n${LENGTH}\r\nok`, OK],
      expect: { ups: 2 },
    },
  ),
];

const hops: Http1Case[] = [
  replied(
    "M231",
    "what Connection names",
    "9110§7.6.1",
    `${HEAD}Connection: x-foo\r\nX-Foo: 1\r\nX-Bar: 2\r\n${LENGTH}\r\nok`,
    "200",
    {
      outre: ["\\r\\nX-Bar: 2\\r\\n"],
      outno: ["(?i)x-foo"],
    },
  ),
  replied(
    "M232",
    "fields of the connection",
    "9110§7.6.1",
    `${HEAD}Keep-Alive: max=1\r\nProxy-Connection: x\r\nTE: y\r\nTrailer: z\r\nUpgrade: h2\r\nProxy-Authenticate: Basic\r\n${LENGTH}\r\nok`,
    "200",
    {
      outno: [
        "(?i)\\r\\n(keep-alive|proxy-connection|te|trailer|upgrade|proxy-authenticate):",
      ],
    },
  ),
  replied(
    "M233",
    "Connection can't take these away",
    "haproxy.md §3.2",
    `${HEAD}Connection: set-cookie, content-type, date, content-length\r\nSet-Cookie: a=b\r\nContent-Type: c/d\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n${LENGTH}\r\nok`,
    "200",
    {
      outre: [
        "Set-Cookie: a=b\\r\\n",
        "Content-Type: c/d\\r\\n",
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\\r\\n",
        "(?i)\\r\\ncontent-length: 2\\r\\n",
      ],
    },
  ),
  replied(
    "M234",
    "Date stays",
    "9110§6.6.1",
    `${HEAD}Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n${LENGTH}\r\nok`,
    "200",
    {
      outno: ["(?is)\\r\\ndate:.*\\r\\ndate:"],
      outre: ["08:49:37"],
    },
  ),
  replied(
    "M235",
    "fields of one name keep their order",
    "9110§5.3",
    `${HEAD}Set-Cookie: a=1\r\nX: y\r\nset-cookie: b=2\r\n${LENGTH}\r\nok`,
    "200",
    {
      outre: ["Set-Cookie: a=1\\r\\nX: y\\r\\nset-cookie: b=2\\r\\n"],
    },
  ),
  replied(
    "M236",
    "426 names its protocol",
    "9110§15.5.22",
    `HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: websocket\r\n${LENGTH}\r\nok`,
    "426",
    {
      outre: ["(?i)\\r\\nupgrade: websocket\\r\\n"],
    },
  ),
  answered(
    "M241",
    "surplus bytes behind chunks",
    "9112§9.2",
    [`${GET}\r\n`, 0.3, NEXT],
    ["200", "200"],
    {
      backend: [
        `${HEAD}${CHUNKED}\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`,
        OK,
      ],
      expect: { ups: 2, outno: ["evil"] },
    },
  ),
  answered(
    "M242",
    "surplus bytes behind 204",
    "9112§9.2",
    [`${GET}\r\n`, 0.3, NEXT],
    ["204", "200"],
    {
      backend: [
        "HTTP/1.1 204 N\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        OK,
      ],
      expect: { ups: 2, outno: ["evil"] },
    },
  ),
  answered(
    "M243",
    "a final response before the request's end",
    "9112§9.5",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello",
    "200",
    {
      backend: [{ early: true, data: OK }],
    },
  ),
];

/** All of them. */
export const replyCases: readonly Http1Case[] = [...framed, ...hops];
