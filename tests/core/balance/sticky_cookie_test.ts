/**
 * The sticky cookie: only what was issued leads anywhere.
 *
 * @module
 */
import fc from "fast-check";
import { StickyCookie } from "../../../core/balance/sticky_cookie.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertThrows,
} from "../../support/assert.ts";

const SECRET = new Uint8Array(32).map((_, i) => i);

function cookieOf(backends: readonly string[], secret = SECRET): StickyCookie {
  return new StickyCookie({ name: "HRSESSION", secret, backends });
}

/** The value of the Set-Cookie line for this backend. */
function valueOf(cookie: StickyCookie, id: string): string {
  return /^HRSESSION=([^;]+);/.exec(cookie.issue(id, false))![1]!;
}

Deno.test("StickyCookie issues a session cookie for all paths that scripts and other sites don't get", () => {
  const cookie = cookieOf(["a"]);

  assertMatch(
    cookie.issue("a", false),
    /^HRSESSION=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/,
  );
  assertEquals(cookie.issue("a", true), `${cookie.issue("a", false)}; Secure`);
});

Deno.test("StickyCookie reads what it issued", () => {
  const ids = fc.uniqueArray(fc.string({ minLength: 1, unit: "grapheme" }));
  fc.assert(
    fc.property(ids, (ids) => {
      const cookie = cookieOf(ids);
      for (const id of ids) {
        assertEquals(cookie.read(valueOf(cookie, id)), id);
      }
    }),
  );
});

Deno.test("StickyCookie reads what another worker or snapshot issued, whatever backends it knows besides", () => {
  const value = valueOf(cookieOf(["a", "b"]), "b");

  assertEquals(cookieOf(["c", "b", "d"]).read(value), "b");
  assertEquals(cookieOf(["c", "d"]).read(value), undefined);
});

Deno.test("StickyCookie reads nothing of another secret", () => {
  const other = cookieOf(["a"], new Uint8Array(32).fill(1));

  assertEquals(cookieOf(["a"]).read(valueOf(other, "a")), undefined);
});

Deno.test("StickyCookie ignores a value with any character changed, added or left out", () => {
  const cookie = cookieOf(["a", "b"]);
  const value = valueOf(cookie, "a");
  for (let at = 0; at < value.length; at++) {
    const [before, after] = [value.slice(0, at), value.slice(at + 1)];
    const now = value.charCodeAt(at);
    for (
      const other of [
        "A",
        "B",
        "-",
        "=",
        "",
        "é",
        String.fromCharCode(now + 256),
      ]
    ) {
      if (other === value[at]) continue;
      assertEquals(cookie.read(before + other + after), undefined);
    }
    assertEquals(cookie.read(`${before}A${value.slice(at)}`), undefined);
  }
  const mixed = value.slice(0, 22) + valueOf(cookie, "b").slice(22);
  assertEquals(cookie.read(mixed), undefined);
});

Deno.test("StickyCookie ignores garbage", () => {
  const cookie = cookieOf(["a"]);
  const values = fc.oneof(
    fc.string(),
    fc.string({ minLength: 43, maxLength: 43 }),
    fc.base64String({ minLength: 40, maxLength: 44 }),
  );
  fc.assert(
    fc.property(values, (value) => assertEquals(cookie.read(value), undefined)),
  );
});

Deno.test("StickyCookie does not tell where a backend is", () => {
  const value = valueOf(cookieOf(["10.0.0.1:9001"]), "10.0.0.1:9001");
  const bytes = atob(value.replaceAll("-", "+").replaceAll("_", "/"));

  assertEquals(bytes.length, 32);
  assert(!bytes.includes("10.0.0.1"));
});

Deno.test("StickyCookie learns and forgets backends while it lives", () => {
  const cookie = cookieOf([]);
  assertThrows(() => cookie.issue("a", false), RangeError, '"a"');
  cookie.add("a");
  cookie.add("a");
  const value = valueOf(cookie, "a");
  assertEquals(cookie.read(value), "a");
  cookie.delete("a");
  cookie.delete("a");
  assertEquals(cookie.read(value), undefined);
  assertThrows(() => cookie.issue("a", false), RangeError);
  cookie.add("a");

  assertEquals(valueOf(cookie, "a"), value);
});

Deno.test("StickyCookie refuses a short secret", () => {
  assertThrows(() => cookieOf([], new Uint8Array(31)), RangeError, "31");
});

Deno.test("StickyCookie signs by HMAC-SHA-256", async () => {
  const key = await crypto.subtle.importKey(
    "raw",
    SECRET,
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const text = new TextEncoder().encode("headrace sticky backend\0a");
  const signed = new Uint8Array(await crypto.subtle.sign("HMAC", key, text));
  const expected = signed.toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });

  assertEquals(valueOf(cookieOf(["a"]), "a"), expected);
});
