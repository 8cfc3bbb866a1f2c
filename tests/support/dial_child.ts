/**
 * Dials backends in a process of its own, whose environment says which
 * authorities are well known (DENO_CERT). Takes the dials as JSON, prints a
 * code or `ok` for each.
 *
 * @module
 */
import { dial } from "../../core/connect/dial.ts";
import { ProxyError } from "../../core/errors.ts";
import { systemClock } from "../../core/net/clock.ts";
import { Deadlines } from "../../core/net/deadlines.ts";
import { BackendTls } from "../../core/tls/backend_tls.ts";

/** One dial; those with the same `ca` share their `BackendTls`. */
export interface ChildDial {
  readonly port: number;
  readonly ca: string | null;
}

const sharing = new Map<string | null, BackendTls>();
const outcomes: string[] = [];
for (const { port, ca } of JSON.parse(Deno.args[0]!) as ChildDial[]) {
  const settings = {
    name: "api.test",
    alpn: [],
    ca: ca ?? undefined,
    identity: undefined,
  };
  const tls = sharing.get(ca) ?? new BackendTls(settings);
  sharing.set(ca, tls);
  try {
    const { conn } = await dial([{ address: "127.0.0.1", port }], {
      timeout: 5_000,
      deadlines: new Deadlines(systemClock),
      tls,
    });
    conn.close();
    outcomes.push("ok");
  } catch (thrown) {
    if (!(thrown instanceof ProxyError)) throw thrown;
    outcomes.push(thrown.code);
  }
}
console.log(JSON.stringify(outcomes));
