import {
  guardVerdict,
  type VerdictPoint,
} from "../../../core/plugins/guard_verdict.ts";
import {
  CALLBACK_POINTS,
  type CallbackPointSpec,
  type VerdictKind,
} from "../../../core/callback_points.ts";
import { type Verdict, verdicts } from "../../../core/verdict.ts";
import fc from "fast-check";
import {
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

const POINTS = CALLBACK_POINTS.filter(({ name }) =>
  name !== "selectAlternate"
) as readonly (CallbackPointSpec & { readonly name: VerdictPoint })[];

const SAMPLES: Readonly<Record<VerdictKind, Verdict>> = {
  respond: verdicts.respond({ status: 200 }),
  redirect: verdicts.redirect("/new"),
  finish: verdicts.finish({ status: 200 }),
  close: verdicts.close,
  retry: verdicts.retry,
};

Deno.test("guardVerdict takes undefined and goOn as going on at every point", () => {
  for (const { name } of POINTS) {
    assertEquals(guardVerdict(name, undefined), undefined);
    assertEquals(guardVerdict(name, verdicts.goOn), undefined);
  }
});

Deno.test("guardVerdict takes exactly the verdicts that the table makes legal", () => {
  for (const point of POINTS) {
    for (const [kind, sample] of Object.entries(SAMPLES)) {
      if (kind === "finish") continue;
      if (point.verdicts.includes(kind as VerdictKind)) {
        assertEquals(guardVerdict(point.name, sample), sample);
        continue;
      }
      const { message } = assertThrows(
        () => guardVerdict(point.name, sample),
        TypeError,
      );
      assertStringIncludes(
        message,
        `Cannot answer \`${kind}\` at ${point.name}: legal `,
      );
    }
  }
});

Deno.test("guardVerdict takes finish with or without a response as the table says", () => {
  const bare = verdicts.finish();
  const full = verdicts.finish({ status: 200 });
  for (const { name, verdicts, finishResponse } of POINTS) {
    const legal = verdicts.includes("finish");
    const taken = [
      [bare, legal && finishResponse !== "must"],
      [full, legal && finishResponse !== "none"],
    ] as const;
    for (const [verdict, ok] of taken) {
      if (ok) assertEquals(guardVerdict(name, verdict), verdict);
      else assertThrows(() => guardVerdict(name, verdict), TypeError);
    }
  }
});

Deno.test("guardVerdict says which verdicts are legal", () => {
  assertEquals(
    assertThrows(() => guardVerdict("foundProduct", verdicts.retry)).message,
    "Cannot answer `retry` at foundProduct: legal are goOn, respond, redirect, finish, close",
  );
  assertEquals(
    assertThrows(() => guardVerdict("finish", verdicts.close)).message,
    "Cannot answer `close` at finish: legal is only going on",
  );
});

Deno.test("guardVerdict tells what to do with a Response that was not wrapped", () => {
  const { message } = assertThrows(
    () => guardVerdict("foundProduct", new Response("no")),
    TypeError,
  );
  assertStringIncludes(message, "verdict.respond");
});

Deno.test("guardVerdict refuses everything that is no verdict with a TypeError", () => {
  fc.assert(fc.property(fc.anything(), (value) => {
    if (value === undefined) return;
    assertThrows(() => guardVerdict("readResponse", value), TypeError);
  }));
});

Deno.test("guardVerdict refuses responses that can't be sent", async () => {
  const used = new Response("once");
  await used.text();
  const bad: [unknown, string][] = [
    [undefined, "it is undefined"],
    ["text", "it is a string"],
    [{}, "status must be 200 to 599, current value is undefined"],
    [{ status: "200" }, "status"],
    [{ status: 199 }, "199"],
    [{ status: 600 }, "600"],
    [{ status: 200.5 }, "200.5"],
    [Response.error(), "status"],
    [used, "once"],
    [{ status: 200, body: { json: 1 } }, "body must be"],
    [{ status: 200, body: null }, "it is null"],
  ];
  for (const [response, reason] of bad) {
    for (const kind of ["respond", "finish"]) {
      if (kind === "finish" && response === undefined) continue;
      const { message } = assertThrows(
        () => guardVerdict("foundProduct", { kind, response }),
      );
      assertStringIncludes(message, reason);
    }
  }
});

Deno.test("guardVerdict takes each kind of body", () => {
  const bodies = ["text", new Uint8Array(1), new ReadableStream(), undefined];
  for (const body of bodies) {
    const verdict = { kind: "respond", response: { status: 200, body } };
    assertEquals(guardVerdict("foundProduct", verdict), verdict as Verdict);
  }
});

Deno.test("guardVerdict refuses redirects that are none", () => {
  const bad: unknown[] = [
    { kind: "redirect" },
    { kind: "redirect", url: "", status: 302 },
    { kind: "redirect", url: "/a\r\nset-cookie: b", status: 302 },
    { kind: "redirect", url: new URL("http://a.example/"), status: 302 },
    { kind: "redirect", url: "/", status: 200 },
  ];
  for (const verdict of bad) {
    assertThrows(() => guardVerdict("foundProduct", verdict));
  }
});
