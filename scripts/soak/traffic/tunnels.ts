/**
 * TCP, and WebSockets in tunnel mode.
 *
 * @module
 */
import type { MessageKind } from "../../../core/websocket/link.ts";
import {
  kindOf,
  readMessage,
  writeMessage,
} from "../../websocket_load/message.ts";
import { openWebSocket } from "../../websocket_load/opening.ts";
import type { Peer } from "../../websocket_load/peer.ts";
import { Client, UnexpectedError, WrongError } from "../client.ts";
import { CutError, isCut } from "../message_stream.ts";
import { ByteCheck, SeededBytes, seededBytes } from "../seeded_bytes.ts";
import type { Kind } from "../user.ts";
import { KeptConnection } from "./connection.ts";

/** A few bytes to and fro on a connection that lives long. */
const pingPong: Kind = {
  name: "TCP ping-pong",
  users: 4,
  rate: 20,
  user({ places, random }) {
    const connection = new KeptConnection(places.tcp);
    return {
      async act() {
        const { stream } = await connection.get();
        const seed = random.below(1 << 30);
        const length = random.between(1, 64);
        const check = new ByteCheck(seed);
        await stream.write(seededBytes(seed, length));
        await stream.body(length, (piece) => {
          if (!check.take(piece)) throw new WrongError("Other bytes came back");
        });
        if (random.chance(0.01)) connection.end();
        return length;
      },
      end: () => connection.end(),
    };
  },
};

/** Megabytes to and fro at once, with a FIN behind them. */
const bulk: Kind = {
  name: "TCP bulk",
  users: 1,
  rate: 1 / 4,
  user: ({ places, random }) => ({
    async act() {
      const client = await Client.connect(places.tcp);
      try {
        const { stream } = client;
        const seed = random.below(1 << 30);
        const length = random.between(1, 8 << 20);
        const source = new SeededBytes(seed);
        const check = new ByteCheck(seed);
        const sending = async () => {
          for (let at = 0; at < length;) {
            const piece = source.from(at, length - at);
            await stream.write(piece);
            at += piece.length;
          }
          await stream.conn.closeWrite!();
        };
        const reading = stream.body("close", (piece) => {
          if (!check.take(piece)) throw new WrongError("Other bytes came back");
        });
        const [, got] = await Promise.all([sending(), reading]);
        if (got !== length) {
          throw new WrongError(`${got} of ${length} bytes as if whole`);
        }
        return got;
      } finally {
        client.close();
      }
    },
  }),
};

/** Bytes of a message, all that is drawn. */
const SIZE = 300;

/** One WebSocket and what it waits for. */
class TunnelSession {
  readonly #peer: Peer;
  #number = 0;
  #ended: Error | undefined;
  #waits: { resolve(): void; reject(reason: Error): void } | undefined;

  private constructor(peer: Peer) {
    this.#peer = peer;
    peer.run({
      message: (kind, bytes, start, end) => this.#take(kind, bytes, start, end),
      ping: (payload) => {
        peer.pong(payload);
        peer.flush();
      },
      batchEnd: () => undefined,
    }).then(
      ({ code }) => this.#end(new CutError(`The WebSocket ended with ${code}`)),
      (thrown) => this.#end(new WrongError(`${thrown}`)),
    );
  }

  static async open(port: number, target: string): Promise<TunnelSession> {
    try {
      return new TunnelSession(await openWebSocket(port, target));
    } catch (thrown) {
      if (isCut(thrown)) throw thrown;
      throw new UnexpectedError(`${thrown}`);
    }
  }

  /** Sends the next message; resolves when it came back. */
  async exchange(): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    const bytes = new Uint8Array(SIZE);
    const number = ++this.#number;
    writeMessage(bytes, { sender: 1, number, answers: 0 });
    const answered = new Promise<void>((resolve, reject) => {
      this.#waits = { resolve, reject };
    });
    this.#peer.send(kindOf(number), bytes, 0, SIZE);
    const [, flushed] = await Promise.all([answered, this.#peer.flush()]);
    if (!flushed) throw new CutError("The WebSocket took no message");
  }

  /** Ends in order. */
  async close(): Promise<void> {
    await this.#peer.close(1000, "");
  }

  destroy(): void {
    this.#peer.destroy();
  }

  #end(reason: Error): void {
    this.#ended = reason;
    this.#waits?.reject(reason);
  }

  #take(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const message = readMessage(kind, bytes, start, end, SIZE);
    if (message?.number === this.#number) this.#waits?.resolve();
    else this.#waits?.reject(new WrongError("Another message came back"));
  }
}

function tunnels(
  name: string,
  { users, rate, target, mortal = false }: {
    readonly users: number;
    readonly rate: number;
    readonly target: string;
    readonly mortal?: boolean;
  },
): Kind {
  return {
    name,
    users,
    rate,
    mortal,
    user({ places, random }) {
      let session: TunnelSession | undefined;
      return {
        async act() {
          session ??= await TunnelSession.open(places.web.port, target);
          await session.exchange();
          if (random.chance(0.005)) {
            await session.close();
            session = undefined;
          }
          return SIZE;
        },
        end() {
          session?.destroy();
          session = undefined;
        },
      };
    },
  };
}

/** All of them. */
export const TUNNELS: readonly Kind[] = [
  pingPong,
  bulk,
  tunnels("WebSocket tunnel", { users: 5, rate: 15, target: "/calm" }),
  tunnels("WebSocket tunnel to mortals", {
    users: 3,
    rate: 10,
    target: "/mortal",
    mortal: true,
  }),
];
