/**
 * The cookie by which a client stays with its backend.
 *
 * Its value is the HMAC-SHA-256 of the backend's id under the process's secret:
 * name and signature in one. Nobody can make one, or learn from one where a
 * backend is (an id is an address by default). A backend's value is worked out
 * once, so a request costs a look-up and a comparison; it depends on nothing but
 * secret and id, so all workers agree and a reload changes nothing.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";

/** What a sticky cookie is made with. */
export interface StickyCookieOptions {
  /** The cookie's name, a token. */
  readonly name: string;
  /** The same in all workers; from 32 random bytes on. */
  readonly secret: Uint8Array;
  /** Ids of the backends that clients may be led to. */
  readonly backends: Iterable<string>;
}

/** Says what the HMAC is for: the secret may come to sign other things, too. */
const PURPOSE = "headrace sticky backend\0";

/** Digits of base64url that 32 bytes take. */
const LENGTH = 43;

/** So many digits find the backend, the others prove that the value was issued: about 16 bytes each. */
const SELECTOR = 22;

interface Known {
  readonly id: string;
  readonly value: string;
  readonly proof: Uint8Array;
}

/** Issues and reads one cluster's cookie. */
export class StickyCookie {
  readonly name: string;
  readonly #secret: Uint8Array;
  readonly #byId = new Map<string, Known>();
  readonly #bySelector = new Map<string, Known>();
  readonly #given = new Uint8Array(LENGTH - SELECTOR);

  /** Throws a `RangeError` for a secret of less than 32 bytes. */
  constructor(options: StickyCookieOptions) {
    if (options.secret.length < 32) {
      throw new RangeError(
        `A secret must have 32 bytes: it has ${options.secret.length}`,
      );
    }
    this.name = options.name;
    this.#secret = options.secret;
    for (const id of options.backends) this.add(id);
  }

  /** A backend that came while Headrace runs; nothing for one that is known. */
  add(id: string): void {
    if (this.#byId.has(id)) return;
    const value = createHmac("sha256", this.#secret)
      .update(PURPOSE).update(id).digest("base64url");
    const proof = Buffer.from(value.slice(SELECTOR), "latin1");
    const known = { id, value, proof };
    this.#byId.set(id, known);
    this.#bySelector.set(value.slice(0, SELECTOR), known);
  }

  /** A backend that is gone: its cookies lead nowhere. */
  delete(id: string): void {
    const known = this.#byId.get(id);
    if (known === undefined) return;
    this.#byId.delete(id);
    this.#bySelector.delete(known.value.slice(0, SELECTOR));
  }

  /**
   * The Set-Cookie field's value that leads to this backend, until the browser is
   * closed. `secure`: the client came over https. Throws a `RangeError` for an
   * unknown backend.
   */
  issue(id: string, secure: boolean): string {
    const known = this.#byId.get(id);
    if (known === undefined) {
      throw new RangeError(`No backend has the id ${JSON.stringify(id)}`);
    }
    return `${this.name}=${known.value}; Path=/; HttpOnly; SameSite=Lax${
      secure ? "; Secure" : ""
    }`;
  }

  /** The id of the backend that the cookie's value leads to; undefined for what was not issued here. */
  read(value: string): string | undefined {
    if (value.length !== LENGTH) return undefined;
    const known = this.#bySelector.get(value.slice(0, SELECTOR));
    if (known === undefined) return undefined;
    const given = this.#given;
    for (let i = SELECTOR; i < LENGTH; i++) {
      const code = value.charCodeAt(i);
      // Only the lower byte of a wider code would be compared.
      if (code > 0x7f) return undefined;
      given[i - SELECTOR] = code;
    }
    return timingSafeEqual(given, known.proof) ? known.id : undefined;
  }
}
