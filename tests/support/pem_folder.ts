/**
 * PEM files for a config that names them.
 *
 * @module
 */
import type { Identity } from "./certificates.ts";

/** A folder that goes away after the tests of its file. */
export interface PemFolder {
  /** Writes a file and tells its path. */
  write(name: string, pem: string): Promise<string>;
  /** Writes `NAME.crt` and `NAME.key` and tells their paths. */
  identity(
    name: string,
    identity: Identity,
  ): Promise<{ readonly cert: string; readonly key: string }>;
}

/** An empty one. Ask for it outside of tests. */
export async function pemFolder(): Promise<PemFolder> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-pem-" });
  Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));
  const write = async (name: string, pem: string) => {
    const path = `${folder}/${name}`;
    await Deno.writeTextFile(path, pem);
    return path;
  };
  return {
    write,
    async identity(name, { cert, key }) {
      return {
        cert: await write(`${name}.crt`, cert),
        key: await write(`${name}.key`, key),
      };
    },
  };
}
