/**
 * A backend that can be killed and started again: one nginx process.
 *
 * @module
 */
import { listenLow } from "../websocket_load/listen_low.ts";

/** One backend at a port of its own. */
export class NginxBackend implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly #folder: string;
  #child: Deno.ChildProcess | undefined;

  private constructor(name: string, port: number, folder: string) {
    this.name = name;
    this.port = port;
    this.#folder = folder;
  }

  /** Starts one; its files lie in the folder. */
  static async start(name: string, folder: string): Promise<NginxBackend> {
    const listener = listenLow();
    const { port } = listener.addr;
    listener.close();
    const backend = new NginxBackend(name, port, `${folder}/${name}`);
    await Deno.mkdir(backend.#folder);
    await Deno.writeTextFile(`${backend.#folder}/nginx.conf`, backend.#config);
    await backend.start();
    return backend;
  }

  get #config(): string {
    return `daemon off; master_process off;
pid ${this.#folder}/pid; error_log ${this.#folder}/log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${this.port} backlog=4096;
    location /status { stub_status; }
    location / { default_type text/plain; return 200 "${
      this.name.padEnd(129)
    }\\n"; }
  }
}
`;
  }

  /** Starts it anew at its port. */
  async start(): Promise<void> {
    this.#child = new Deno.Command("nginx", {
      args: ["-c", `${this.#folder}/nginx.conf`],
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    await this.requests();
  }

  /** Ends it: `SIGKILL` where it stands, `SIGQUIT` once it has answered. */
  async end(signal: "SIGKILL" | "SIGQUIT" | "SIGTERM"): Promise<void> {
    this.#child?.kill(signal);
    await this.#child?.status;
    this.#child = undefined;
  }

  /** Requests that it got since its start, these of ours too. Waits until it answers, at most ten seconds. */
  async requests(): Promise<number> {
    for (let tries = 0;; tries++) {
      try {
        const status = await fetch(`http://127.0.0.1:${this.port}/status`);
        return Number(/^ \d+ \d+ (\d+)/m.exec(await status.text())![1]);
      } catch (thrown) {
        if (tries === 100) throw thrown;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}
