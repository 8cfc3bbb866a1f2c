/**
 * One request by hand, before a load of the same: is the answer right, and how
 * long is it with its head?
 *
 * @module
 */

/** Where and what. */
export interface Probe {
  readonly port: number;
  /** PEM of the authority, with TLS; left out = in the clear. */
  readonly ca?: string;
  readonly request: string;
  /** The length that the body must have. */
  readonly body: number;
}

/** What it tells of the answer. */
export interface Answer {
  /** Bytes of head and body. */
  readonly length: number;
  readonly status: number;
  readonly body: number;
}

/** How long it may take in all, in milliseconds. */
const PATIENCE = 20_000;

/** Asks once; throws where the answer is not the right one. */
export async function probe(options: Probe): Promise<Answer> {
  const conn = await connectTo(options);
  let open = true;
  const close = () => {
    if (open) conn.close();
    open = false;
  };
  const timer = setTimeout(close, PATIENCE);
  try {
    const answer = await ask(conn, options);
    if (answer.status !== 200 || answer.body !== options.body) {
      throw new Error(
        `answered ${answer.status} with ${answer.body} bytes ` +
          `instead of 200 with ${options.body}`,
      );
    }
    return answer;
  } catch (thrown) {
    throw new Error(`Port ${options.port}: ${thrown}`, { cause: thrown });
  } finally {
    clearTimeout(timer);
    close();
  }
}

async function connectTo({ port, ca }: Probe): Promise<Deno.Conn> {
  const options = { hostname: "127.0.0.1", port };
  return ca === undefined
    ? await Deno.connect(options)
    : await Deno.connectTls({ ...options, caCerts: [ca] });
}

async function ask(
  conn: Deno.Conn,
  { request, body }: Probe,
): Promise<Answer> {
  const sent = writeAll(conn, new TextEncoder().encode(request));
  const buffer = new Uint8Array(256 << 10);
  const decoder = new TextDecoder("latin1");
  let head = "";
  let length = 0;
  let headEnd = -1;
  while (headEnd < 0 || length - headEnd < body) {
    const count = await conn.read(buffer);
    if (count === null) break;
    length += count;
    if (headEnd >= 0) continue;
    head += decoder.decode(buffer.subarray(0, count));
    const end = head.indexOf("\r\n\r\n");
    if (end >= 0) headEnd = end + 4;
  }
  await sent;
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
  const told = /^content-length: (\d+)\r$/mi.exec(head.slice(0, headEnd))?.[1];
  // What was told and what came are to be the same.
  const came = length - headEnd;
  return { length, status, body: Number(told) === came ? came : NaN };
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) {
    sent += await conn.write(bytes.subarray(sent));
  }
}
