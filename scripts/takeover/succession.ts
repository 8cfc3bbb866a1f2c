/**
 * A Headrace process, the next one that takes over from it, and so on.
 *
 * @module
 */
import { makeAuthority } from "../../tests/support/certificates.ts";
import { freePorts } from "../../tests/support/free_ports.ts";
import {
  type HeadraceProcess,
  startHeadrace,
} from "../../tests/support/headrace_process.ts";

/** What is started. */
export interface SuccessionOptions {
  readonly workers: number;
  /** TLS on Deno's own listener. */
  readonly tls: boolean;
}

const REQUEST = new TextEncoder().encode(
  "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
);

/** The processes of one address. */
export class Succession implements AsyncDisposable {
  readonly #folder: string;
  readonly #port: number;
  readonly #ca: string | undefined;
  #current: HeadraceProcess | undefined;

  private constructor(folder: string, port: number, ca: string | undefined) {
    this.#folder = folder;
    this.#port = port;
    this.#ca = ca;
  }

  /** Starts the first. */
  static async begin(
    { workers, tls }: SuccessionOptions,
  ): Promise<Succession> {
    const folder = await Deno.makeTempDir({ prefix: "headrace-takeover-" });
    const [port, admin] = freePorts(2);
    let ca: string | undefined;
    if (tls) {
      const authority = await makeAuthority();
      const { cert, key } = await authority.issue({ names: ["localhost"] });
      await Deno.writeTextFile(`${folder}/cert.pem`, cert);
      await Deno.writeTextFile(`${folder}/key.pem`, key);
      ca = authority.cert;
    }
    const pair = { cert: `${folder}/cert.pem`, key: `${folder}/key.pem` };
    const config = {
      listeners: [{
        name: "web",
        address: `127.0.0.1:${port}`,
        ...(tls && { tls: { certificates: [pair], alpn: ["http/1.1"] } }),
      }],
      products: [{
        name: "all",
        default: true,
        rules: [{ respond: { status: 200, body: "ok\n" } }],
      }],
      admin: { address: `127.0.0.1:${admin}` },
      workers,
      drain: { timeout: "5s" },
    };
    await Deno.writeTextFile(
      `${folder}/headrace.yaml`,
      JSON.stringify(config),
    );
    const succession = new Succession(folder, port!, ca);
    succession.#current = succession.#start([]);
    await succession.#current.wrote("Headrace serves");
    return succession;
  }

  /** The next one takes over; resolves when the one before has ended. */
  async takeOver(): Promise<void> {
    const before = this.#current!;
    this.#current = this.#start(["--takeover"]);
    await this.#current.wrote("Headrace serves");
    const code = await before.code;
    if (code !== 0) throw new Error(`It ended with ${code}: ${before.stderr}`);
  }

  /** A request on a connection of its own. Rejects where it is not answered with 200 to the end. */
  async request(): Promise<void> {
    using conn = await this.#connect();
    for (let at = 0; at < REQUEST.length;) {
      at += await conn.write(REQUEST.subarray(at));
    }
    const buffer = new Uint8Array(1_024);
    let text = "";
    for (;;) {
      const count = await conn.read(buffer);
      if (count === null) break;
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
    if (!text.startsWith("HTTP/1.1 200 ") || !text.endsWith("\r\n\r\nok\n")) {
      throw new Error(`Not answered: ${JSON.stringify(text)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #connect(): Promise<Deno.Conn> {
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    if (this.#ca === undefined) return tcp;
    return await Deno.startTls(tcp, {
      hostname: "localhost",
      caCerts: [this.#ca],
    });
  }

  #start(args: readonly string[]): HeadraceProcess {
    const config = `${this.#folder}/headrace.yaml`;
    return startHeadrace(["--config", config, ...args], {
      env: { HEADRACE_RUN_DIR: `${this.#folder}/run` },
    });
  }
}
