/**
 * Requests to switch protocols (RFC 9110 §7.8).
 *
 * @module
 */
import type { Http1Case } from "../cases.ts";
import { answered, each, GET, NEXT, OK } from "./make.ts";

const upgrade = (protocol: string, fields = "") =>
  `${GET}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n${fields}\r\n`;
const switched = (protocol: string) =>
  `HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;

/** All of them. */
export const upgradeCases: readonly Http1Case[] = [
  answered(
    "L101",
    "another protocol",
    "9110§7.8",
    [upgrade("x/1"), 0.2, "ping"],
    "101",
    {
      backend: [{ echo: true, data: switched("x/1") }],
      expect: { outre: ["E:ping"] },
    },
  ),
  answered(
    "L102",
    "a protocol that was not asked for",
    "9110§15.2.2",
    upgrade("websocket"),
    "502",
    {
      backend: [{ echo: true, data: switched("x") }],
    },
  ),
  answered(
    "L103",
    "a switch without a protocol",
    "9110§15.2.2",
    upgrade("websocket"),
    "502",
    {
      backend: [{ echo: true, data: "HTTP/1.1 101 S\r\n\r\n" }],
    },
  ),
  answered(
    "L104",
    "the first of several protocols",
    "9110§7.8",
    [upgrade("websocket, h2c"), 0.1],
    "200",
    {
      expect: { upre: ["(?i)\\r\\nupgrade: websocket\\r\\n"], upno: ["h2c"] },
    },
  ),
  ...each(
    "L",
    105,
    {
      "h2c": "h2c",
      "HTTP/2.0": "HTTP/2.0",
      "TLS/1.0": "TLS/1.0",
      "a protocol of two versions": "x/1/2",
      "no protocol": "",
    },
    (id, name, protocol) =>
      answered(
        id,
        `never asked for: ${name}`,
        "9110§7.8; h2c smuggling",
        upgrade(protocol),
        "200",
        {
          expect: { upno: ["(?i)\\r\\n(upgrade|connection):"] },
        },
      ),
  ),
  answered(
    "L111",
    "Connection says upgrade and no Upgrade comes",
    "9110§7.8",
    `${GET}Connection: upgrade\r\n\r\n`,
    "200",
    {
      expect: { upno: ["(?i)\\r\\n(upgrade|connection):"] },
    },
  ),
  answered(
    "L112",
    "declined, the next request behind",
    "9110§7.8; WebSocket smuggling",
    [upgrade("websocket", "Sec-WebSocket-Version: 1\r\n") + NEXT],
    ["426", "200"],
    {
      backend: [
        `HTTP/1.1 426 U\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n`,
        OK,
      ],
      expect: { outre: ["(?i)\\r\\nsec-websocket-version: 13\\r\\n"] },
    },
  ),
];
