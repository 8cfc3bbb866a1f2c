import { ListFields } from "../../../core/message/list_fields.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

const OVER = "Cannot read headers as their transaction is over";

function sample(): ListFields {
  return new ListFields([["X-A", "1"], ["x-b", "2"], ["x-a", "3"]]);
}

Deno.test("ListFields.get(), getAll(), first() and has() ignore case", () => {
  const fields = sample();
  assertEquals(fields.get("x-A"), "1, 3");
  assertEquals(fields.getAll("X-a"), ["1", "3"]);
  assertEquals(fields.first("X-B"), "2");
  assertEquals(fields.has("X-B"), true);
  assertEquals(fields.get("x-c"), null);
  assertEquals(fields.getAll("x-c"), []);
  assertEquals(fields.first("x-c"), undefined);
  assertEquals(fields.has("x-c"), false);
});

Deno.test("ListFields.set() replaces all lines of the name by one", () => {
  const fields = sample();
  fields.set("X-a", "\t4 ");
  assertEquals([...fields], [["x-b", "2"], ["X-a", "4"]]);
});

Deno.test("ListFields.append() adds a line behind the others", () => {
  const fields = sample();
  fields.append("X-A", "4");
  assertEquals(fields.getAll("x-a"), ["1", "3", "4"]);
});

Deno.test("ListFields.delete() removes all lines of the name", () => {
  const fields = sample();
  fields.delete("x-A");
  fields.delete("none");
  assertEquals([...fields], [["x-b", "2"]]);
});

Deno.test("ListFields refuses what the rules of fields refuse", () => {
  const fields = sample();
  assertThrows(() => fields.set("a b", "1"), TypeError, "must be a token");
  assertThrows(() => fields.append("", "1"), TypeError, "must be a token");
  assertThrows(() => fields.delete("\n"), TypeError, "must be a token");
  assertThrows(() => fields.set("x", "a\r\nb"), TypeError, "printable");
  assertThrows(() => fields.append("x", "\u0100"), TypeError, "printable");
  for (const name of ["TE", "content-length", "connection", "upgrade"]) {
    assertThrows(() => fields.set(name, "1"), TypeError, "belongs to");
    assertThrows(() => fields.append(name, "1"), TypeError, "belongs to");
    assertThrows(() => fields.delete(name), TypeError, "belongs to");
  }
  assertEquals([...fields], [...sample()]);
});

Deno.test("ListFields refuses a second Host", () => {
  const fields = new ListFields([["host", "a"]]);
  assertThrows(() => fields.append("Host", "b"), TypeError, "set it");
});

Deno.test("ListFields strips long runs of whitespace in linear time", () => {
  const value = `a${" ".repeat(200_000)}b`;
  const fields = new ListFields();
  fields.set("x", `  ${value}\t`);
  assertEquals(fields.get("x") === value, true);
});

Deno.test("ListFields.put() and remove() change framing fields too", () => {
  const fields = sample();
  fields.put("Upgrade", "websocket");
  fields.put("upgrade", "x");
  assertEquals(fields.getAll("upgrade"), ["x"]);
  fields.remove("UPGRADE");
  assertEquals([...fields], [...sample()]);
});

Deno.test("ListFields shows its lines by number", () => {
  const fields = sample();
  assertEquals(fields.size, 3);
  assertEquals(fields.nameAt(0), "X-A");
  assertEquals(fields.lowerNameAt(0), "x-a");
  assertEquals(fields.valueAt(2), "3");
});

Deno.test("ListFields.copy() is independent, also of a release", () => {
  const one = sample();
  const other = one.copy();
  one.set("x-a", "9");
  other.delete("x-b");
  one.release();
  assertEquals([...other], [["X-A", "1"], ["x-a", "3"]]);
});

Deno.test("ListFields.release() ends every read", () => {
  const fields = sample();
  fields.release();
  const uses: (() => unknown)[] = [
    () => fields.get("x-a"),
    () => fields.getAll("x-a"),
    () => fields.first("x-a"),
    () => fields.has("x-a"),
    () => fields.set("x-a", "1"),
    () => fields.put("x-a", "1"),
    () => fields.delete("x-a"),
    () => fields.copy(),
    () => fields.size,
    () => [...fields],
  ];
  for (const use of uses) assertThrows(use, Error, OVER);
});

Deno.test("ListFields.keep() makes it outlive its release", () => {
  const fields = sample();
  fields.keep();
  fields.release();
  assertEquals(fields.get("x-b"), "2");
});

Deno.test("ListFields.removeLookalikes() removes what differs in signs alone", () => {
  const fields = new ListFields([
    ["x-a-b", "1"],
    ["X_A-b", "2"],
    ["x.a.b", "3"],
    ["x_a_c", "4"],
    ["x_a-B", "5"],
  ]);
  fields.removeLookalikes(["x-a-b"]);
  assertEquals([...fields], [["x-a-b", "1"], ["x_a_c", "4"]]);
});
