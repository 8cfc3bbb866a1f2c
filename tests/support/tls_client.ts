/**
 * Clients of TLS listeners: Deno's own over a connection of their own, and the
 * programs that people use.
 *
 * @module
 */
import { HttpClient } from "./http_client.ts";
import type { Identity } from "./certificates.ts";

/** How a client connects. */
export interface TlsClientOptions {
  /** The authority's PEM. */
  readonly ca: string;
  /** What SNI says, and the certificate must cover; without it 127.0.0.1 must be covered. */
  readonly name?: string;
  readonly alpn?: readonly string[];
  /** Only without `name`. */
  readonly pair?: Identity;
}

/** Connects to a port of 127.0.0.1 and does the handshake. */
export async function connectTls(
  port: number,
  { ca, name, alpn, pair }: TlsClientOptions,
): Promise<HttpClient> {
  const options = {
    caCerts: [ca],
    ...(alpn !== undefined && { alpnProtocols: [...alpn] }),
  };
  if (name === undefined) {
    const conn = await Deno.connectTls({
      hostname: "127.0.0.1",
      port,
      ...options,
      ...pair,
    });
    return await shaken(conn);
  }
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
  return await shaken(
    await Deno.startTls(tcp, { hostname: name, ...options }),
  );
}

async function shaken(conn: Deno.TlsConn): Promise<HttpClient> {
  try {
    await conn.handshake();
    return new HttpClient(conn);
  } catch (thrown) {
    conn.close();
    throw thrown;
  }
}

/** What a program printed. */
export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program with an input that ends at once. */
export async function run(
  command: string,
  args: readonly string[],
): Promise<Printed> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}

/** Whether a program is there; where it is not, that is printed, so that a skipped test shows. */
export function hasProgram(name: string): boolean {
  const path = Deno.env.get("PATH") ?? "";
  const found = path.split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${name}`).isFile;
    } catch {
      return false;
    }
  });
  if (!found) console.warn(`Skipped: ${name} is not installed`);
  return found;
}
