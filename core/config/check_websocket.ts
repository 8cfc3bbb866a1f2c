/**
 * What `clusters[].websocket` can't do: keys without an effect, fields that a
 * handshake can't do without.
 *
 * @module
 */
import type { Finding } from "./problem.ts";
import {
  child,
  entries,
  type Entry,
  has,
  root,
  textAt,
  texts,
} from "./tree.ts";

/** Those that need messages, or two handshakes of one's own. */
const OF_SESSIONS = [
  "pingInterval",
  "pongTimeout",
  "hold",
  "maxMessage",
  "replay",
  "drain",
  "abnormalCodes",
  "passHeaders",
];

/** Fields that a backend must get (RFC 6455 §4.1), in every spelling that is taken for theirs. */
const NEEDED =
  /^(host|connection|upgrade|sec[^a-z0-9]websocket[^a-z0-9](key|version))$/i;

/** Fields that say something else than that a session is dialled anew. */
const TAKEN =
  /^(host|connection|upgrade|sec[^a-z0-9]websocket[^a-z0-9].*|x[^a-z0-9]headrace[^a-z0-9]replayed)$/i;

/** Keys that have no effect in a tunnel, and names that would spoil every handshake. */
export function websocketFindings(tree: unknown): Finding[] {
  return entries(root(tree), "clusters").flatMap((cluster) => {
    const websocket = child(cluster, "websocket");
    if (websocket === undefined) return [];
    const tunnels = textAt(websocket, "mode")?.value === "tunnel" &&
      textAt(cluster, "dialer") === undefined;
    return [
      ...(tunnels ? idleKeys(websocket) : []),
      ...texts(websocket, "blockHeaders")
        .filter(({ value }) => NEEDED.test(value))
        .map((name) => ({
          ...name,
          message: "expected a field that a handshake can do without",
        })),
      ...[textAt(websocket, "reconnectHeader")]
        .filter((name) => name !== undefined && TAKEN.test(name.value))
        .map((name) => ({
          ...name!,
          message: "expected a field that means nothing else in a handshake",
        })),
    ];
  });
}

function idleKeys(websocket: Entry): Finding[] {
  return OF_SESSIONS.filter((key) => has(websocket, key)).map((key) => ({
    path: [...websocket.path, key],
    at: "key",
    message: "expected only in mode: session, as a tunnel relays bytes",
  }));
}
