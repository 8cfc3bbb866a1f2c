/**
 * Reads and writes by the runtime's own operations, which `Deno.Conn` itself
 * calls: for configs that ask for it by `io: direct`.
 *
 * `Deno.Conn.read` notes each read that is pending in a Set. V8 makes that Set's
 * table anew at each read, and where the connection is older than the last
 * mark-compact it makes it among the old objects: 120 bytes per read that no
 * scavenge takes, so that at 20,000 requests a second all of the heap is marked
 * every 1.5 s (Deno 2.9.6, measured). None of this happens without the Set.
 *
 * Deno documents neither the operations nor how a connection's number is found.
 * Both are in 2.4.2 and in 2.9.6 (tried), and may be gone in any other: nobody
 * gets them unasked, and a config that asks is refused where they are not.
 *
 * @module
 */
import type { ByteConn } from "./byte_conn.ts";

/** What of `Deno[Deno.internal].core` is used. */
interface Operations {
  /** Bytes read, 0 at the end. */
  read(resource: number, buffer: Uint8Array): Promise<number>;
  /** Bytes taken. */
  write(resource: number, bytes: Uint8Array): Promise<number>;
  /** Under which a connection has the number of its resource. */
  readonly internalRidSymbol: symbol;
}

const operations = findOperations(Deno);

/** Why it can't be had here, in words; undefined where it can. */
export function directIoProblem(runtime: object = Deno): string | undefined {
  return findOperations(runtime) === undefined
    ? "this version of Deno has not the operations that it is made of"
    : undefined;
}

/**
 * The same connection for a `Socket`, which takes 0 for its end: to make null of
 * that would take a promise per read. One that is none of the runtime's own is as
 * it was.
 */
export function directConn(conn: ByteConn): ByteConn {
  if (operations === undefined) return conn;
  const resource = property(conn, operations.internalRidSymbol);
  return typeof resource === "number"
    ? new DirectConn(conn, operations, resource)
    : conn;
}

class DirectConn implements ByteConn {
  readonly #conn: ByteConn;
  readonly #operations: Operations;
  readonly #resource: number;

  constructor(conn: ByteConn, operations: Operations, resource: number) {
    this.#conn = conn;
    this.#operations = operations;
    this.#resource = resource;
  }

  read(buffer: Uint8Array): Promise<number> {
    return this.#operations.read(this.#resource, buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#operations.write(this.#resource, bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}

function findOperations(runtime: object): Operations | undefined {
  const internal = property(runtime, "internal");
  if (typeof internal !== "symbol") return undefined;
  const core = property(property(runtime, internal), "core");
  return areOperations(core) ? core : undefined;
}

function areOperations(core: unknown): core is Operations {
  return typeof property(core, "read") === "function" &&
    typeof property(core, "write") === "function" &&
    typeof property(core, "internalRidSymbol") === "symbol";
}

function property(of: unknown, key: PropertyKey): unknown {
  return typeof of === "object" && of !== null
    ? Reflect.get(of, key)
    : undefined;
}
