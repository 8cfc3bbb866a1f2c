/**
 * What plugins bring for WebSocket sessions, bound to what the config says of
 * them.
 *
 * @module
 */
import type {
  BackendDialer,
  SessionListener,
  ValveProvider,
} from "../plugin.ts";

/** A plugin's part. */
export interface BoundPart<Part> {
  /** The plugin instance's name. */
  readonly plugin: string;
  readonly onError: "refuse" | "ignore";
  readonly part: Part;
}

/** The parts that sessions of one listener and product have, in the order of handlers. */
export interface WebSocketParts {
  readonly providers: readonly BoundPart<ValveProvider>[];
  readonly listeners: readonly BoundPart<SessionListener>[];
}

/** A dialer that a cluster names. */
export interface BoundDialer {
  /** What clusters call it. */
  readonly name: string;
  /** The plugin instance's name. */
  readonly plugin: string;
  /** Milliseconds that its administrator may take: the plugin's `timeout`. */
  readonly timeout: number;
  readonly dialer: BackendDialer;
}

/** Tells of a plugin's failure: counts it, and logs it. */
export type TellFailure = (
  plugin: string,
  point: string,
  thrown: unknown,
) => void;
