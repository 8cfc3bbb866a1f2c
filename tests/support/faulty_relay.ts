/**
 * A relay of WebSocket messages that does wrong on purpose.
 *
 * @module
 */
import {
  acceptWebSocket,
  openWebSocket,
} from "../../scripts/websocket_load/opening.ts";
import type { Peer, PeerEvents } from "../../scripts/websocket_load/peer.ts";
import { serveTcpBackend, type TcpBackend } from "./tcp_backend.ts";

/** What becomes of a message; a late one goes behind the next. */
export type Fault = "drop" | "twice" | "late" | "damage" | undefined;

/** Decides it for the nth message of a direction of a session, from 1. */
export type Faults = (direction: "up" | "down", n: number) => Fault;

/** Serves it before a backend of 127.0.0.1. */
export function serveFaultyRelay(backend: number, faults: Faults): TcpBackend {
  return serveTcpBackend(async (conn) => {
    let target = "";
    const client = await acceptWebSocket(
      conn as Deno.TcpConn,
      (opening) => {
        target = opening.target;
        return Promise.resolve();
      },
    );
    const server = await openWebSocket(backend, target);
    const passing = Promise.all([
      pass(client, server, (n) => faults("up", n)),
      pass(server, client, (n) => faults("down", n)),
    ]);
    await passing;
  });
}

/** Passes on what comes from one end, its Close too. */
async function pass(
  from: Peer,
  to: Peer,
  faultOf: (n: number) => Fault,
): Promise<void> {
  let n = 0;
  let held: (() => void) | undefined;
  const events: PeerEvents = {
    message(kind, bytes, start, end) {
      const copy = bytes.slice(start, end);
      const send = () => to.send(kind, copy, 0, copy.length);
      const late = held;
      held = undefined;
      const fault = faultOf(++n);
      if (fault === "late") held = send;
      if (fault === "damage") copy[copy.length - 1]! ^= 1;
      if (fault === "twice") send();
      if (fault !== "drop" && fault !== "late") send();
      late?.();
    },
    ping: (payload) => from.pong(payload),
    batchEnd: () => Promise.all([to.flush(), from.flush()]),
  };
  const { code } = await from.run(events);
  await to.close(code === 1006 ? 1001 : code, "");
}
