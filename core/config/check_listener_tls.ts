/**
 * The files that `tls` names: read, and checked as far as that can be done
 * before a listener uses them.
 *
 * @module
 */
import {
  CertificateError,
  checkPair,
  readCertificates,
} from "../tls/certificate_pair.ts";
import type { Finding } from "./problem.ts";
import { child, entries, type Entry, root, textAt } from "./tree.ts";
import type { TextEntry } from "./tree.ts";

/** Texts of files by their paths as the config has them. */
export type ListenerFiles = Readonly<Record<string, string>>;

/** What the files of a config hold. */
export interface ListenerTlsCheck {
  readonly files: ListenerFiles;
  readonly findings: readonly Finding[];
  /** What can be used but should not: certificates that have expired. */
  readonly warnings: readonly Finding[];
}

/** What the check draws on. */
export interface ListenerTlsOptions {
  /** Reads a file by its path as the config has it. */
  readonly readFile: (path: string) => Promise<string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Reads and checks the files of all listeners. */
export async function checkListenerTls(
  tree: unknown,
  options: ListenerTlsOptions,
): Promise<ListenerTlsCheck> {
  const files: Record<string, string> = {};
  const findings: Finding[] = [];
  const warnings: Finding[] = [];
  const read = async (at: TextEntry | undefined) => {
    if (at === undefined || at.value === "") return undefined;
    try {
      return files[at.value] ??= await options.readFile(at.value);
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      findings.push({ ...at, message: `cannot read the file (${reason})` });
      return undefined;
    }
  };
  for (const tls of listenersTls(tree)) {
    for (const pair of entries(tls, "certificates")) {
      const places = { cert: textAt(pair, "cert"), key: textAt(pair, "key") };
      const cert = await read(places.cert);
      const key = await read(places.key);
      if (cert === undefined || key === undefined) continue;
      const check = (): Finding[] => {
        const { certificate } = checkPair({ cert, key });
        return expiryFindings(places.cert!, certificate, options.now);
      };
      warnings.push(...collect(check, places, findings));
    }
    const clientAuth = child(tls, "clientAuth");
    const place = clientAuth && textAt(clientAuth, "ca");
    const ca = await read(place);
    if (place === undefined || ca === undefined) continue;
    const check = (): Finding[] =>
      readCertificates(ca).flatMap((certificate) =>
        expiryFindings(place, certificate, options.now)
      );
    warnings.push(...collect(check, { cert: place }, findings));
  }
  return { files, findings, warnings };
}

function listenersTls(tree: unknown): Entry[] {
  return entries(root(tree), "listeners").flatMap((listener) =>
    child(listener, "tls") ?? []
  );
}

/** What `check` finds; what it throws is found at the file's place. */
function collect(
  check: () => Finding[],
  places: {
    readonly cert: TextEntry | undefined;
    readonly key?: TextEntry | undefined;
  },
  findings: Finding[],
): Finding[] {
  try {
    return check();
  } catch (thrown) {
    if (!(thrown instanceof CertificateError)) throw thrown;
    const { message, file } = thrown;
    findings.push({ ...places[file]!, message });
    return [];
  }
}

function expiryFindings(
  place: TextEntry,
  { notBefore, notAfter }: { notBefore: number; notAfter: number },
  now: number,
): Finding[] {
  const day = (time: number) => new Date(time).toISOString().slice(0, 10);
  if (notAfter < now) {
    return [{
      ...place,
      message: `the certificate expired on ${day(notAfter)}`,
    }];
  }
  return notBefore <= now ? [] : [{
    ...place,
    message: `the certificate is valid only from ${day(notBefore)} on`,
  }];
}
