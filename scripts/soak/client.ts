/**
 * An HTTP client that keeps no body: what comes is compared on its way.
 *
 * @module
 */
import {
  CutError,
  type Head,
  MessageStream,
  responseFraming,
  type Sink,
} from "./message_stream.ts";
import { ByteCheck, SeededBytes } from "./seeded_bytes.ts";

/** Bytes that are not those that were asked for, or an answer to another question. */
export class WrongError extends Error {
  override readonly name = "WrongError";
}

/** An answer that says what it should not. */
export class UnexpectedError extends Error {
  override readonly name = "UnexpectedError";
}

/** Where a client connects. */
export interface Target {
  readonly port: number;
  /** PEM of the authority; left out = plain. */
  readonly ca?: string | undefined;
}

/** A response that was read whole. */
export interface Answer {
  readonly status: number;
  readonly head: Head;
  /** Bytes of its body. */
  readonly length: number;
  /** Heads before it with 1xx, but 101. */
  readonly interim: number;
}

/** A request; its connection is kept unless a field says otherwise. */
export interface Question {
  readonly method?: string;
  readonly host: string;
  readonly target: string;
  /** Lines with their ends. */
  readonly fields?: string;
  readonly body?: Upload;
}

/** A seed's bytes as a request's body. */
export interface Upload {
  readonly seed: number;
  readonly length: number;
  readonly chunked: boolean;
  /** Waits for a 100 first. */
  readonly expect?: boolean;
}

/** What of the seed's bytes a response has to hold. */
export interface Expected {
  readonly seed: number;
  readonly start: number;
  readonly end: number;
}

/** Bytes of a request's body that are written at once. */
const PIECE = 16 << 10;

/** One connection. */
export class Client {
  readonly stream: MessageStream;

  private constructor(stream: MessageStream) {
    this.stream = stream;
  }

  /** Connects to 127.0.0.1. Rejects with a CutError. */
  static async connect({ port, ca }: Target): Promise<Client> {
    try {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      if (ca === undefined) {
        conn.setNoDelay(true);
        return new Client(new MessageStream(conn));
      }
      const tls = await Deno.startTls(conn, {
        hostname: "soak.test",
        caCerts: [ca],
      });
      try {
        await tls.handshake();
      } catch (thrown) {
        tls.close();
        throw thrown;
      }
      return new Client(new MessageStream(tls));
    } catch (thrown) {
      throw new CutError(`No connection: ${thrown}`);
    }
  }

  close(): void {
    this.stream.close();
  }

  get closed(): boolean {
    return this.stream.closed;
  }

  /** Writes a request, its body too. */
  async send(question: Question): Promise<void> {
    const { body } = question;
    await this.stream.write(headOf(question));
    if (body === undefined) return;
    if (body.expect === true) {
      const head = await this.stream.head();
      if (head?.first.split(" ")[1] !== "100") {
        throw new UnexpectedError(`Not 100: ${head?.first}`);
      }
    }
    await this.sendBody(body, 0, body.length);
  }

  /** Writes a part of a body; the last one is the one that ends at its length. */
  async sendBody(
    { seed, length, chunked }: Upload,
    start: number,
    end: number,
  ): Promise<void> {
    const source = new SeededBytes(seed);
    for (let at = start; at < end;) {
      const piece = source.from(at, Math.min(PIECE, end - at));
      if (chunked) {
        await this.stream.write(`${piece.length.toString(16)}\r\n`);
      }
      await this.stream.write(piece);
      if (chunked) await this.stream.write("\r\n");
      at += piece.length;
    }
    if (chunked && end === length) await this.stream.write("0\r\n\r\n");
  }

  /** The response to a method; `choose` says by its head who takes the body. */
  async answer(
    method: string,
    choose: (head: Head, status: number) => Sink,
  ): Promise<Answer> {
    let interim = 0;
    for (;;) {
      const head = await this.stream.head();
      if (head === undefined) {
        throw new CutError("The connection ended before the answer");
      }
      const match = /^HTTP\/1\.1 ([1-5]\d\d) /.exec(head.first);
      if (match === null) {
        throw new WrongError(`No status line: ${JSON.stringify(head.first)}`);
      }
      const status = Number(match[1]);
      if (status < 200) {
        interim++;
        continue;
      }
      const framing = responseFraming(method, status, head);
      const sink = choose(head, status);
      const length = await this.stream.body(framing, sink);
      if (framing === "close" || head.fields.get("connection") === "close") {
        this.close();
      }
      return { status, head, length, interim };
    }
  }

  /** The answer to a GET or HEAD that must be 200 or 206 with the seed's bytes; other statuses are returned with their bodies unread by anybody. */
  async seeded(
    method: string,
    expected: Expected | ((head: Head) => Expected),
  ): Promise<Answer> {
    let check: ByteCheck | undefined;
    let end = 0;
    const answer = await this.answer(method, (head, status) => {
      if (status !== 200 && status !== 206) return () => {};
      const wanted = typeof expected === "function" ? expected(head) : expected;
      check = new ByteCheck(wanted.seed, wanted.start);
      ({ end } = wanted);
      return (piece) => {
        if (!check!.take(piece)) {
          throw new WrongError(
            `Wrong bytes from ${check!.place} on: ${
              JSON.stringify(new TextDecoder().decode(piece.subarray(0, 60)))
            }`,
          );
        }
      };
    });
    if (check !== undefined && method !== "HEAD" && check.place !== end) {
      throw new WrongError(`${check.place} bytes as if whole, not ${end}`);
    }
    return answer;
  }
}

/** The head of a request. */
export function headOf(
  { method = "GET", host, target, fields = "", body }: Question,
): string {
  const framing = body === undefined
    ? ""
    : body.chunked
    ? "Transfer-Encoding: chunked\r\n"
    : `Content-Length: ${body.length}\r\n`;
  const expect = body?.expect === true ? "Expect: 100-continue\r\n" : "";
  return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${framing}${expect}${fields}\r\n`;
}
