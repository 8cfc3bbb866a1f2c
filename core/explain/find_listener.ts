/**
 * Which listener a connection comes to, by the URL that the client was given.
 *
 * @module
 */
import { isIP } from "node:net";
import type { ListenerConfig } from "../config/config.ts";
import {
  addressesOverlap,
  formatAddress,
  formatHost,
  type ListenAddress,
} from "../net/address.ts";
import type { ListenerRuntime } from "../snapshot/snapshot.ts";
import { type DescribedUrl, DescriptionError } from "./described_request.ts";

/** A listener and the reason for it. */
export interface FoundListener {
  readonly listener: ListenerRuntime;
  readonly addresses: readonly ListenAddress[];
  readonly why: string;
}

/** Where a listener listens: of a live proxy with its real ports. */
export type AddressesOf = (config: ListenerConfig) => readonly ListenAddress[];

/**
 * The listener of this name; without one the first whose address a client of the
 * URL reaches, else the first that speaks the URL's protocol, as a port may be
 * mapped before Headrace. Throws a {@linkcode DescriptionError}.
 */
export function findListener(
  listeners: Iterable<ListenerRuntime>,
  url: DescribedUrl,
  name: string | undefined,
  addressesOf: AddressesOf,
): FoundListener {
  const all = [...listeners].map((listener) => ({
    listener,
    addresses: addressesOf(listener.config),
  }));
  const protocol = url.scheme === "tcp" ? "tcp" : "http";
  if (name !== undefined) {
    const found = all.find(({ listener }) => listener.name === name);
    if (found === undefined) {
      throw new DescriptionError(
        `The config has no listener called ${JSON.stringify(name)}`,
      );
    }
    if (found.listener.protocol !== protocol) {
      throw new DescriptionError(
        `Cannot explain a ${url.scheme}: URL on listener "${name}" as it speaks ${found.listener.protocol}`,
      );
    }
    return { ...found, why: "it was asked for by name" };
  }
  const speaking = all.filter(({ listener }) => listener.protocol === protocol);
  const [first] = speaking;
  if (first === undefined) {
    throw new DescriptionError(`The config has no ${protocol} listener`);
  }
  const reached = speaking.filter(({ addresses }) =>
    addresses.some((address) => reaches(url, address))
  );
  const fits = ({ listener }: { readonly listener: ListenerRuntime }) =>
    url.scheme === "tcp" ||
    (listener.config.tls !== undefined) === (url.scheme === "https");
  const best = reached.find(fits) ?? reached[0];
  if (best !== undefined) {
    const address = best.addresses.find((one) => reaches(url, one))!;
    return { ...best, why: `the URL leads to ${formatAddress(address)}` };
  }
  return {
    ...speaking.find(fits) ?? first,
    why: `no ${protocol} listener is at ${
      formatHost(url.hostname)
    }:${url.port}; it is the ${speaking.length === 1 ? "only" : "first"} one${
      speaking.some(fits) ? ` for ${url.scheme}:` : ""
    }`,
  };
}

/** Whether a client of the URL may come to the address: names may lead anywhere. */
function reaches(url: DescribedUrl, address: ListenAddress): boolean {
  if (address.kind === "unix") return false;
  const { hostname, port } = url;
  const known = isIP(hostname) !== 0 || hostname === "localhost";
  return addressesOverlap(address, {
    kind: "tcp",
    hostname: known ? hostname : address.hostname,
    port,
    lastPort: port,
  });
}
