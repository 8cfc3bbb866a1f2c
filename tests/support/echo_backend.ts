/**
 * A backend that answers each request with what it got of it.
 *
 * @module
 */
import { type ScriptedBackend, serveEach } from "./scripted_backend.ts";
import type { TcpBackendAddress } from "./tcp_backend.ts";

/** A request as the backend saw it. */
export interface Echo {
  /** The backend's name. */
  readonly backend: string;
  readonly method: string;
  readonly target: string;
  /** Names in lower case; several of one name joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Serves it under a name that its answers tell. */
export function serveEcho(
  name = "a",
  address?: TcpBackendAddress,
): ScriptedBackend {
  return serveEach((connection, { method, target, headers }) => {
    const echo: Echo = {
      backend: name,
      method,
      target,
      headers: Object.fromEntries(headers),
    };
    return connection.respond(200, JSON.stringify(echo));
  }, address);
}

/** What such an answer tells. */
export function parseEcho(text: string): Echo {
  return JSON.parse(text);
}
