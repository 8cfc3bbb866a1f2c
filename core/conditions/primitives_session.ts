/**
 * Primitives on the two addresses of the connection that a request came on.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";
import {
  type Address,
  matchAddressRange,
  parseAddress,
  readAddress,
} from "./address_range.ts";
import { list, text } from "./parameter.ts";
import { definePrimitive, type Primitive } from "./primitive.ts";

/** Those on the connection's addresses. */
export function sessionPrimitives(): readonly Primitive[] {
  return [
    range(
      "ses_sip_range",
      "the connection comes from an address from the first to the last, or the PROXY header says so",
      (request) => request.session.remote.address,
    ),
    range("ses_vip_range", VIP_RANGE, localAddress),
    range("req_vip_range", VIP_RANGE, localAddress),
    definePrimitive({
      name: "req_vip_in",
      parameters: [list("addresses", readAddress)],
      description: "the client connected to one of these addresses",
      make: ([addresses]) => {
        const wanted = new Set(addresses.map(({ order }) => order));
        return (request) => {
          const address = parseAddress(localAddress(request));
          return address !== undefined && wanted.has(address);
        };
      },
    }),
  ];
}

const VIP_RANGE =
  "the client connected to an address from the first to the last";

/** The address that the client connected to, BFE's VIP. */
function localAddress(request: HttpRequest): string {
  return request.session.local.address;
}

function range(
  name: string,
  description: string,
  read: (request: HttpRequest) => string,
): Primitive {
  return definePrimitive({
    name,
    parameters: [text("first", readAddress), text("last", readAddress)],
    description,
    make: ([first, last]: readonly [Address, Address]) => {
      const test = matchAddressRange(first, last);
      return (request) => test(read(request));
    },
  });
}
