/**
 * A renewal every second for a minute, under keep-alive load and under new
 * connections: what fails. Run with `deno task long`.
 *
 * Where `node:tls` serves, nothing may. Deno's own listener is handed over to
 * another one; the kernel resets what waits in the old one's queue at that
 * moment, unless `net.ipv4.tcp_migrate_req` is 1.
 *
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import { writePairs } from "../support/certificate_files.ts";
import { freePorts } from "../support/free_ports.ts";
import { startHeadrace } from "../support/headrace_process.ts";
import type { HttpClient } from "../support/http_client.ts";
import { connectTls } from "../support/tls_client.ts";
import { type TlsSite, tlsSite } from "../support/tls_site.ts";

const RENEWALS = Number(Deno.env.get("RENEWALS") ?? 60);
const NEW_PER_SECOND = 100;
const KEPT_ALIVE = 16;

/** Whether the kernel moves queued connections to another listener of the port. */
async function migrates(): Promise<boolean> {
  try {
    const text = await Deno.readTextFile("/proc/sys/net/ipv4/tcp_migrate_req");
    return text.trim() === "1";
  } catch {
    return false;
  }
}

const MODES = [
  { name: "listenTls", tls: {} },
  { name: "node:tls", tls: { verifyHost: true } },
] as const;

for (const { name, tls } of MODES) {
  Deno.test(`${name}: ${RENEWALS} renewals under load`, async (t) => {
    await using s = await tlsSite();
    const [port, admin] = freePorts(2);
    const config = `${s.folder}/headrace.yaml`;
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        listeners: [{
          name: "web",
          address: `127.0.0.1:${port}`,
          tls: { certificates: s.single, ...tls },
        }],
        products: [{
          name: "p",
          default: true,
          rules: [{ respond: { status: 200, body: "hello\n" } }],
        }],
        clusters: [{ name: "none", backends: [] }],
        admin: { address: `127.0.0.1:${admin}` },
        workers: 1,
      }),
    );
    await using headrace = startHeadrace(["--config", config]);
    await headrace.wrote("Headrace serves");
    const load = new Load(port!, s);
    const running = load.run();
    for (let i = 0; i < RENEWALS; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await writePairs(s.folder, {
        single: await s.ca.issue({ commonName: `r${i}`, ips: ["127.0.0.1"] }),
      });
      headrace.kill("SIGHUP");
    }
    load.stop();
    await running;
    const { requests, failedRequests, connections, lost } = load;
    console.log(
      `${name}: ${requests} keep-alive requests, ${failedRequests} failed; ` +
        `${connections} new connections, ${lost.length} lost ` +
        `(tcp_migrate_req=${await migrates() ? 1 : 0})`,
    );
    for (const reason of new Set(lost)) console.log(`  lost: ${reason}`);
    await t.step("no request on a kept connection fails", () => {
      assert(requests > RENEWALS * 100, `${requests}`);
      assertEquals(failedRequests, 0);
    });
    await t.step("new connections are lost seldom", async () => {
      assert(connections > RENEWALS * NEW_PER_SECOND * 0.5, `${connections}`);
      const allowed = name === "node:tls" || await migrates() ? 0 : RENEWALS;
      assert(lost.length <= allowed, `${lost.length} of ${connections}`);
    });
  });
}

/** Clients that ask all the time. */
class Load {
  requests = 0;
  failedRequests = 0;
  connections = 0;
  readonly lost: string[] = [];
  readonly #port: number;
  readonly #site: TlsSite;
  #stopped = false;

  constructor(port: number, site: TlsSite) {
    this.#port = port;
    this.#site = site;
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    const kept = Array.from({ length: KEPT_ALIVE }, () => this.#keepAsking());
    await Promise.all([...kept, this.#keepConnecting()]);
  }

  #connect(): Promise<HttpClient> {
    return connectTls(this.#port, { ca: this.#site.ca.cert });
  }

  async #keepAsking(): Promise<void> {
    using client = await this.#connect();
    while (!this.#stopped) {
      try {
        const { status } = await client.get("/", "127.0.0.1");
        if (status !== 200) this.failedRequests++;
        this.requests++;
      } catch {
        this.failedRequests++;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async #keepConnecting(): Promise<void> {
    const under = new Set<Promise<void>>();
    while (!this.#stopped) {
      const one = this.#connectOnce().finally(() => under.delete(one));
      under.add(one);
      await new Promise((resolve) =>
        setTimeout(resolve, 1_000 / NEW_PER_SECOND)
      );
    }
    await Promise.all(under);
  }

  async #connectOnce(): Promise<void> {
    this.connections++;
    try {
      using client = await this.#connect();
      const { status } = await client.get("/", "127.0.0.1");
      if (status !== 200) this.lost.push(`status ${status}`);
    } catch (thrown) {
      this.lost.push(String(thrown));
    }
  }
}
