/**
 * Compressors as transforms.
 *
 * @module
 */
import zlib from "node:zlib";

/** Codings that can be made, the best first. */
export const CODINGS = ["zstd", "br", "gzip"] as const;

/** One of them. */
export type Coding = (typeof CODINGS)[number];

/** A compressor of node:zlib with the calls that all of them have. */
interface Compressor {
  write(chunk: Uint8Array, done: (error?: Error | null) => void): unknown;
  flush(done: () => void): void;
  end(): unknown;
  destroy(): unknown;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** What makes each coding's compressor. */
const MAKERS = {
  gzip: "createGzip",
  br: "createBrotliCompress",
  zstd: "createZstdCompress",
} as const satisfies Record<Coding, string>;

/**
 * Those codings that the runtime can make, zstd being the youngest. Throws an
 * `Error` where that is none.
 */
export function availableCodings(
  codings: readonly Coding[],
  library: object = zlib,
): Coding[] {
  const available = codings.filter((coding) => MAKERS[coding] in library);
  if (available.length > 0) return available;
  throw new Error(`This runtime can make none of ${codings.join(", ")}`);
}

function compressorOf(coding: Coding, level: number): Compressor {
  const { constants } = zlib;
  switch (coding) {
    case "gzip":
      return zlib.createGzip({ level }) as unknown as Compressor;
    case "br":
      return zlib.createBrotliCompress({
        params: { [constants.BROTLI_PARAM_QUALITY]: level },
      }) as unknown as Compressor;
    case "zstd":
      return zlib.createZstdCompress({
        params: { [constants.ZSTD_c_compressionLevel]: level },
      }) as unknown as Compressor;
  }
}

/** A stream that compresses; `live`: what comes goes at once. */
export function compression(
  coding: Coding,
  level: number,
  live: boolean,
): TransformStream<Uint8Array, Uint8Array> {
  const compressor = compressorOf(coding, level);
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => {});
  return new TransformStream<Uint8Array, Uint8Array>({
    start(controller) {
      compressor.on("data", (chunk) => controller.enqueue(chunk));
      compressor.on("end", () => ended.resolve());
      compressor.on("error", (error) => {
        ended.reject(error);
        controller.error(error);
      });
    },
    transform: (chunk) =>
      new Promise((resolve, reject) => {
        compressor.write(chunk, (error) => {
          if (error) reject(error);
          else if (live) compressor.flush(() => resolve());
          else resolve();
        });
      }),
    flush() {
      compressor.end();
      return ended.promise;
    },
    cancel() {
      compressor.destroy();
    },
  } as Transformer<Uint8Array, Uint8Array>);
}
