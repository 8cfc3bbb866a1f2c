/**
 * What connections to backends begin with where their cluster wants to be told
 * who the client is.
 *
 * @module
 */
import type { Preface } from "../connect/preface.ts";
import type { Initiator } from "../listener/initiator.ts";
import {
  ownHeader,
  type SentVersion,
  writeHeader,
} from "../proxy_protocol/write.ts";

/** The PROXY header for a client that was accepted as this initiator. */
export function makePreface(
  version: SentVersion,
  client: string,
  { remote, local, internal }: Initiator,
): Preface {
  const own = client === remote.address;
  // A plugin's request is the proxy's own, unless it says for whom it is.
  if (internal && own) {
    return {
      bytes: (ends) => ownHeader(version, ends),
      key: `own ${version}`,
    };
  }
  const bytes = writeHeader(version, {
    // Of a client that X-Forwarded-For names nobody knows the port.
    source: own ? remote : { address: client, port: 0 },
    destination: local,
  });
  return { bytes, key: String.fromCharCode(...bytes) };
}
