/**
 * Options that connections inherit from the socket that accepts them, as Linux
 * does it (tried: TCP_NODELAY and SO_KEEPALIVE, Linux 6.18).
 *
 * Connections of `Deno.listenTls` have no `setNoDelay`, and the runtime sends
 * each TLS record by a call of its own: what is behind the last full segment of
 * a response then waits for an acknowledgement that the client delays by 40 ms
 * (Nagle's algorithm, RFC 1122 §4.2.3.4). So the option is set where Deno does
 * not look: by the system's own `setsockopt`, through FFI, once per listener.
 * Others could have it set one by one; to inherit it costs them nothing.
 *
 * @module
 */
import { parseIp } from "./ip_bytes.ts";

/** What is set. */
export interface InheritedOptions {
  /** TCP_NODELAY. */
  readonly noDelay: boolean;
  /** SO_KEEPALIVE. */
  readonly keepAlive: boolean;
}

/** Every descriptor of this process: for Deno's own `readDir` that takes all permissions (2.9.6). */
const DESCRIPTORS = new TextEncoder().encode("/proc/self/fd\0");

/** Where the name lies in what `readdir` tells. */
const NAME_OFFSET = 19;

const LIBRARY = "libc.so.6";

const SYMBOLS = {
  opendir: { parameters: ["buffer"], result: "pointer" },
  readdir: { parameters: ["pointer"], result: "pointer" },
  closedir: { parameters: ["pointer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
  setsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "u32"],
    result: "i32",
  },
} as const;

// Of Linux on x86_64 and aarch64, which Deno runs on; both are little-endian.
const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const SO_ACCEPTCONN = 30;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const AF_INET = 2;
const AF_INET6 = 10;

let known: { readonly problem: string | undefined } | undefined;

/** Why {@linkcode inheritOptions} can't work here, in words; undefined where it can. Looked up once. */
export function inheritanceProblem(): string | undefined {
  known ??= { problem: findProblem() };
  return known.problem;
}

function findProblem(): string | undefined {
  if (Deno.build.os !== "linux") return "it is done on Linux only";
  // To ask for what is not granted would stop at a prompt.
  const { state } = Deno.permissions.querySync({ name: "ffi" });
  if (state !== "granted") return "FFI is not allowed (--allow-ffi)";
  try {
    using system = new System();
    system.descriptors();
    return undefined;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

/**
 * Sets options of the sockets of this process that listen at these addresses: of
 * every worker's, of which each does the same. Connections that are accepted
 * from here on have them. Throws where the system refuses, or nobody listens at
 * one of them. It takes about a millisecond (measured).
 */
export function inheritOptions(
  wanted: Iterable<readonly [Deno.NetAddr, InheritedOptions]>,
): void {
  const missing = new Map<string, Deno.NetAddr>();
  const options = new Map<string, InheritedOptions>();
  for (const [address, those] of wanted) {
    const name = socketName(address).join();
    missing.set(name, address);
    options.set(name, those);
  }
  using system = new System();
  for (const descriptor of system.descriptors()) {
    const name = system.listeningName(descriptor)?.join();
    const those = name === undefined ? undefined : options.get(name);
    if (those === undefined) continue;
    missing.delete(name!);
    system.set(descriptor, IPPROTO_TCP, TCP_NODELAY, those.noDelay);
    system.set(descriptor, SOL_SOCKET, SO_KEEPALIVE, those.keepAlive);
  }
  for (const { hostname, port } of missing.values()) {
    throw new Error(`No socket listens at ${hostname} port ${port}`);
  }
}

/** Calls of the system on descriptors of this process, which may be anybody's, or gone. */
class System implements Disposable {
  readonly #library = Deno.dlopen(LIBRARY, SYMBOLS);
  readonly #value = new Int32Array(1);
  /** A `sockaddr_in6`, the largest. */
  readonly #name = new Uint8Array(28);
  readonly #length = new Uint32Array(1);

  [Symbol.dispose](): void {
    this.#library.close();
  }

  /** All of them. Throws where the system does not tell. */
  descriptors(): number[] {
    const { opendir, readdir, closedir } = this.#library.symbols;
    const folder = opendir(DESCRIPTORS);
    if (folder === null) throw new Error("/proc/self/fd can't be read");
    const found: number[] = [];
    for (
      let entry = readdir(folder);
      entry !== null;
      entry = readdir(folder)
    ) {
      const name = new Deno.UnsafePointerView(entry).getCString(NAME_OFFSET);
      // Besides them it holds "." and "..".
      if (/^\d+$/.test(name)) found.push(Number(name));
    }
    closedir(folder);
    return found;
  }

  /** Where it listens, as `socketName` puts it; undefined where it is no socket that does at a port. */
  listeningName(descriptor: number): Uint8Array | undefined {
    const { getsockopt, getsockname } = this.#library.symbols;
    this.#length[0] = this.#value.byteLength;
    const told = getsockopt(
      descriptor,
      SOL_SOCKET,
      SO_ACCEPTCONN,
      this.#value,
      this.#length,
    );
    if (told !== 0 || this.#value[0] !== 1) return undefined;
    this.#length[0] = this.#name.length;
    if (getsockname(descriptor, this.#name, this.#length) !== 0) {
      return undefined;
    }
    const [family] = this.#name;
    const length = family === AF_INET
      ? V4_NAME_BYTES
      : family === AF_INET6
      ? V6_NAME_BYTES
      : 0;
    return length === 0 ? undefined : this.#name.subarray(0, length);
  }

  /** Sets an option or takes it back. Throws where the system refuses it. */
  set(descriptor: number, level: number, option: number, on: boolean): void {
    const { setsockopt } = this.#library.symbols;
    this.#value[0] = on ? 1 : 0;
    const length = this.#value.byteLength;
    if (setsockopt(descriptor, level, option, this.#value, length) !== 0) {
      throw new Error(`The system refuses option ${option} of level ${level}`);
    }
  }
}

/** Family, port and address in a `sockaddr_in`. */
const V4_NAME_BYTES = 8;

/** Family, port, the flow's information and address in a `sockaddr_in6`. */
const V6_NAME_BYTES = 24;

/** What `getsockname` begins with for an address: family, port, IP address. */
function socketName({ hostname, port }: Deno.NetAddr): Uint8Array {
  const ip = parseIp(hostname);
  if (ip === undefined) throw new TypeError(`${hostname} is no IP address`);
  const isV4 = ip.length === 4;
  // The flow's information of IPv6, before the address, is always 0 here.
  const name = new Uint8Array(isV4 ? V4_NAME_BYTES : V6_NAME_BYTES);
  name[0] = isV4 ? AF_INET : AF_INET6;
  name[2] = port >> 8;
  name[3] = port & 0xff;
  name.set(ip, name.length - ip.length);
  return name;
}
