/**
 * The PEM files of `clusters[].tls`: read and checked with the config, so that
 * what can't work is refused before it has to.
 *
 * @module
 */
import { caStandsAlone } from "../tls/backend_tls.ts";
import {
  CertificateError,
  fits,
  readCertificates,
  readKey,
} from "../tls/certificate_pair.ts";
import { nodeTlsWorks } from "../tls/node_tls_client.ts";
import type { BackendTlsConfig, Config, PemFile } from "./config.ts";
import type { Finding, Path } from "./problem.ts";
import { formatPath } from "./problem.ts";
import { child, entries, has, root, textAt } from "./tree.ts";
import type { Entry } from "./tree.ts";

/** What the files held, and what is wrong with them. */
export interface TlsFiles {
  readonly findings: readonly Finding[];
  /** By the path in the config. */
  readonly contents: ReadonlyMap<string, string>;
}

/** Reads a file by its path as the config gives it; may reject. */
type ReadFile = (path: string) => Promise<string>;

/** Reads and checks every file that a cluster's `tls` names. */
export async function readTlsFiles(
  tree: unknown,
  readFile: ReadFile,
): Promise<TlsFiles> {
  const reader = new Reader(readFile);
  for (const cluster of entries(root(tree), "clusters")) {
    const tls = child(cluster, "tls");
    if (tls !== undefined) await reader.backendTls(tls);
  }
  return reader;
}

/** The config with what its files held. */
export function withTlsFiles(config: Config, files: TlsFiles): Config {
  const filled = (file: PemFile | undefined) =>
    file && { ...file, pem: files.contents.get(file.path)! };
  const tls = (config: BackendTlsConfig | undefined) =>
    config && {
      ...config,
      ca: filled(config.ca),
      cert: filled(config.cert),
      key: filled(config.key),
    };
  return {
    ...config,
    clusters: config.clusters.map((cluster) => ({
      ...cluster,
      tls: tls(cluster.tls),
    })),
  };
}

/** What of the clusters' `tls` this Deno can't keep to, each with its place. */
export function tlsWarnings(
  { clusters }: Config,
  standsAlone = caStandsAlone(),
): string[] {
  if (standsAlone) return [];
  return clusters.flatMap(({ tls }, i) =>
    tls?.ca === undefined ? [] : [
      `${
        formatPath(["clusters", i, "tls", "ca"])
      }: Deno ${Deno.version.deno} trusts the well-known authorities, too: only Deno 2.9 trusts these alone`,
    ]
  );
}

class Reader implements TlsFiles {
  readonly findings: Finding[] = [];
  readonly contents = new Map<string, string>();
  readonly #readFile: ReadFile;

  constructor(readFile: ReadFile) {
    this.#readFile = readFile;
  }

  async backendTls(tls: Entry): Promise<void> {
    await this.#parsed(tls, "ca", readCertificates);
    const certificates = await this.#parsed(tls, "cert", readCertificates);
    const key = await this.#parsed(tls, "key", readKey);
    if (has(tls, "cert") !== has(tls, "key")) {
      const missing = has(tls, "cert") ? "key" : "cert";
      this.#find(
        [...tls.path, missing],
        "is required beside the other of cert and key",
      );
    }
    if (certificates === undefined || key === undefined) return;
    if (!nodeTlsWorks()) {
      this.findings.push({
        path: [...tls.path, "cert"],
        at: "key",
        message:
          `expected no certificate, Deno ${Deno.version.deno} can't show it to backends: Deno 2.9 can`,
      });
    } else if (!fits(certificates[0]!, key)) {
      const place = formatPath([...tls.path, "cert"]);
      this.#find(
        [...tls.path, "key"],
        `expected the key of the first certificate in ${place}`,
      );
    }
  }

  /** What the file under the key holds; undefined where there is none or it is of no use, which is then told. */
  async #parsed<T>(
    entry: Entry,
    key: string,
    parse: (pem: string) => T,
  ): Promise<T | undefined> {
    const file = textAt(entry, key);
    if (file === undefined) return undefined;
    const pem = await this.#read(file.value, file.path);
    if (pem === undefined) return undefined;
    try {
      return parse(pem);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      this.#find(file.path, error.message, file.value);
      return undefined;
    }
  }

  async #read(path: string, place: Path): Promise<string | undefined> {
    const known = this.contents.get(path);
    if (known !== undefined) return known;
    try {
      const pem = await this.#readFile(path);
      this.contents.set(path, pem);
      return pem;
    } catch (error) {
      const reason = error instanceof Error ? error.name : "unknown reason";
      this.#find(place, `cannot read the file (${reason})`, path);
      return undefined;
    }
  }

  #find(path: Path, message: string, value?: string): void {
    this.findings.push({
      path,
      message,
      ...(value !== undefined && { value }),
    });
  }
}
