import {
  formatSocket,
  socketAddress,
} from "../../../core/net/socket_address.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("socketAddress: with and without a transport, as Deno 2.4 tells a TLS listener's", () => {
  const ends: readonly (readonly [object, string])[] = [
    [{ transport: "tcp", hostname: "127.0.0.1", port: 80 }, "127.0.0.1:80"],
    [{ hostname: "::1", port: 443 }, "[::1]:443"],
    [{ transport: "unix", path: "/run/a.sock" }, "/run/a.sock"],
  ];
  for (const [address, text] of ends) {
    assertEquals(formatSocket(socketAddress(address as Deno.Addr)), text);
  }
});
