/**
 * The programs of a benchmark: the backends and the proxies before them.
 *
 * @module
 */
import { writePairs } from "../../tests/support/certificate_files.ts";
import { makeAuthority } from "../../tests/support/certificates.ts";
import { workingPid } from "../process_stat.ts";
import { launchCaddy } from "./caddy.ts";
import { FILES, type ProxyName } from "./cases.ts";
import { launchHaproxy } from "./haproxy.ts";
import { launchHeadrace } from "./headrace.ts";
import { launchBackend, launchNginx } from "./nginx.ts";
import {
  backendOf,
  findPorts,
  type Launch,
  logOf,
  type Place,
  type Ports,
  type SetupName,
  type Site,
} from "./setup.ts";

/** A program that runs. */
export interface Program extends AsyncDisposable {
  /** Of the process that does the work. */
  readonly pid: number;
}

/** A proxy that runs. */
export interface Proxy extends Program {
  readonly name: ProxyName;
  readonly ports: Ports;
  /** Its access log, where the setup has one. */
  readonly log: string | undefined;
}

const LAUNCHES: Readonly<
  Record<ProxyName, (site: Site) => Promise<Launch | undefined>>
> = {
  headrace: launchHeadrace,
  haproxy: launchHaproxy,
  nginx: launchNginx,
  caddy: launchCaddy,
};

/** Makes a folder with the backends' files and the certificates, and finds ports; Headrace's config there says `io`. */
export async function makePlace(io: Place["io"]): Promise<Place> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-bench-" });
  // nginx's worker runs as nobody, temporary folders are the owner's alone.
  await Deno.chmod(folder, 0o755);
  const ca = await makeAuthority();
  await writePairs(folder, {
    one: await ca.issue({ names: ["one.test"], ips: ["127.0.0.1"] }),
    two: await ca.issue({ names: ["two.test"] }),
  });
  await Deno.writeTextFile(`${folder}/ca.crt`, ca.cert);
  await Deno.mkdir(`${folder}/www`);
  for (const [name, bytes] of Object.entries(FILES)) {
    await Deno.writeFile(
      `${folder}/www/${name}`,
      new Uint8Array(bytes).fill(0x78),
    );
  }
  return { io, folder, ports: findPorts() };
}

/** Starts the backends of all cases. */
export async function startBackends(place: Place): Promise<Program[]> {
  const { files, pong, sink } = place.ports;
  const main = new URL("./backend_main.ts", import.meta.url).pathname;
  const own = {
    command: Deno.execPath(),
    args: ["run", "-A", "--no-check", main, String(pong), String(sink)],
  };
  return [
    await start(await launchBackend(place), files),
    await start(own, sink),
  ];
}

/** Starts a proxy; undefined where it can't be set up so. */
export async function startProxy(
  name: ProxyName,
  setup: SetupName,
  place: Place,
): Promise<Proxy | undefined> {
  const { folder, io } = place;
  const ports = place.ports[name];
  const backend = backendOf(setup, place);
  const { admin } = place.ports;
  const site = { setup, backend, ports, admin, folder, io };
  const launch = await LAUNCHES[name](site);
  if (launch === undefined) return undefined;
  const { pid, [Symbol.asyncDispose]: dispose } = await start(
    launch,
    ports.plain,
  );
  const log = setup === "rules" ? logOf(folder, name) : undefined;
  return { name, pid, ports, log, [Symbol.asyncDispose]: dispose };
}

/** Starts it and waits until it listens. */
async function start(launch: Launch, port: number): Promise<Program> {
  const child = new Deno.Command(launch.command, {
    args: [...launch.args],
    ...(launch.env === undefined ? {} : { env: { ...launch.env } }),
    stdout: "null",
    stderr: launch.greets ? "null" : "inherit",
  }).spawn();
  let ended = false;
  const end = child.status.then(() => ended = true);
  const stop = async () => {
    if (!ended) child.kill("SIGTERM");
    await end;
  };
  try {
    // The parent listens before it has children.
    await until(async () =>
      ended || await listens(port) &&
        (!launch.forks || await workingPid(child.pid) !== child.pid)
    );
    if (ended) throw new Error(`${launch.command} ended as it began`);
    const pid = await workingPid(child.pid);
    return { pid, [Symbol.asyncDispose]: stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** Waits until it is so. Throws after ten seconds. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!await isSo()) {
    if (performance.now() > end) throw new Error("Nobody listens");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether a port takes connections. */
async function listens(port: number): Promise<boolean> {
  try {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.close();
    return true;
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.ConnectionRefused)) throw thrown;
    return false;
  }
}
