/**
 * The two channels between a session and a connection that a dialer made, as
 * each side sees them.
 *
 * @module
 */
import type {
  MessageReceiver,
  MessageSender,
  WsClosure,
  WsMessage,
  WsNormalClosure,
} from "../plugin.ts";
import { BoundedChannel } from "./bounded_channel.ts";
import { isValidUtf8 } from "./utf8.ts";

/** What goes to a backend. */
export type ToBackend = WsMessage | WsNormalClosure;

/** What goes to the client. */
export type ToFrontend = WsMessage | WsClosure;

/** The channels of one connection. */
export class DialChannels {
  readonly toBackend = new BoundedChannel<ToBackend>();
  readonly toFrontend = new BoundedChannel<ToFrontend>();
  readonly #maxMessage: number;

  /** Messages of the backend may have so many bytes. */
  constructor(maxMessage: number) {
    this.#maxMessage = maxMessage;
  }

  /** The client's messages as the dialer gets them. */
  get fromFrontend(): MessageReceiver {
    const channel = this.toBackend;
    const receive = () => channel.next();
    return Object.freeze({
      receive,
      [Symbol.asyncIterator]: () => ({
        async next(): Promise<IteratorResult<ToBackend, undefined>> {
          const value = await receive();
          return value === undefined
            ? { done: true, value }
            : { done: false, value };
        },
      }),
    });
  }

  /** The way to the client as the dialer has it. */
  get sender(): MessageSender {
    const channel = this.toFrontend;
    return Object.freeze({
      send: (item: ToFrontend) => {
        try {
          this.#check(item);
        } catch (thrown) {
          return Promise.reject(thrown);
        }
        channel.add(item);
        return channel.room() ?? ROOM;
      },
    });
  }

  /** Throws a `TypeError` or `RangeError` for what can't be sent. */
  #check(item: ToFrontend): void {
    switch (item?.type) {
      case 1:
      case 2:
        checkMessage(item, "send");
        if (item.data.length > this.#maxMessage) {
          throw new RangeError(
            `Cannot send a message of more than ${this.#maxMessage} bytes: it has ${item.data.length}`,
          );
        }
        return;
      case 32:
      case 64:
        checkClosure(item);
        return;
      default:
        throw new TypeError(
          "Cannot send what is no message: expected its type to be 1, 2, 32 or 64",
        );
    }
  }
}

const ROOM = Promise.resolve();

/** Throws a `TypeError` for what is no message, whatever its type says; `verb` is what can't be done with it. */
export function checkMessage(message: WsMessage, verb: string): void {
  const { type, data } = message;
  if (!(data instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${verb} a message as its data must be a Uint8Array`,
    );
  }
  if (type === 1 && !isValidUtf8(data, 0, data.length)) {
    throw new TypeError(`Cannot ${verb} a text that is no UTF-8`);
  }
}

function checkClosure({ code, reason }: WsClosure): void {
  if (
    code !== undefined &&
    !(Number.isInteger(code) && code >= 1000 && code <= 4999)
  ) {
    throw new TypeError(
      `Cannot send a closure as its code must be 1000 to 4999: current value is ${code}`,
    );
  }
  if (reason !== undefined && typeof reason !== "string") {
    throw new TypeError("Cannot send a closure as its reason must be a text");
  }
}
