/**
 * The Forwarded field: what each proxy on the way says of the hop before it
 * (RFC 7239).
 *
 * @module
 */
import { isIP } from "node:net";
import { formatHost } from "../net/address.ts";

/** What one proxy says: parameters by name in lower case, values without quotes. */
export type ForwardedElement = ReadonlyMap<string, string>;

/**
 * The elements of a field, whose lines are joined by commas, from the outermost
 * proxy's on. Undefined where it does not follow the grammar of §4, or an
 * element says one thing twice. Whitespace around `;` is let pass.
 */
export function parseForwarded(field: string): ForwardedElement[] | undefined {
  const elements: ForwardedElement[] = [];
  let element = new Map<string, string>();
  for (let at = 0;; at++) {
    at += find(SPACE, field, at)!.length;
    const name = find(TOKEN, field, at)?.toLowerCase();
    if (name !== undefined) {
      at += name.length;
      if (field[at] !== "=" || element.has(name)) return undefined;
      at++;
      const value = find(TOKEN, field, at) ?? find(QUOTED, field, at);
      if (value === undefined) return undefined;
      element.set(name, unquote(value));
      at += value.length;
      at += find(SPACE, field, at)!.length;
    }
    if (field[at] === ";") continue;
    if (element.size > 0) elements.push(element);
    if (at === field.length) return elements;
    if (field[at] !== ",") return undefined;
    element = new Map();
  }
}

/** An element as it is sent; its values are trusted to be text without controls. */
export function formatForwarded(element: ForwardedElement): string {
  return [...element].map(([name, value]) => `${name}=${quote(value)}`)
    .join(";");
}

/**
 * The IP address of a node, which `for` and `by` name, without its port.
 * Undefined for `unknown`, an obfuscated identifier and what is no node (§6).
 */
export function nodeAddress(node: string): string | undefined {
  const [, bracketed, plain] =
    /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/i.exec(node) ??
      [];
  if (bracketed !== undefined) {
    return isIP(bracketed) === 6 ? bracketed : undefined;
  }
  return plain !== undefined && isIP(plain) === 4 ? plain : undefined;
}

/** The node of an address; empty where there is none to tell. */
export function formatNode(address: string): string {
  return address === "" ? "unknown" : formatHost(address);
}

const SPACE = /[ \t]*/y;
const TOKEN = /[\w!#$%&'*+.^`|~-]+/y;
const QUOTED =
  /"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"/y;

/** What the sticky expression finds right at an offset. */
function find(sticky: RegExp, text: string, at: number): string | undefined {
  sticky.lastIndex = at;
  return sticky.exec(text)?.[0];
}

function quote(value: string): string {
  return find(TOKEN, value, 0)?.length === value.length && value !== ""
    ? value
    : `"${value.replace(/["\\]/g, "\\$&")}"`;
}

function unquote(value: string): string {
  return value.startsWith('"')
    ? value.slice(1, -1).replace(/\\(.)/gs, "$1")
    : value;
}
