import {
  compileTemplate,
  type Scope,
  templateProblem,
} from "../../plugins/template.ts";
import {
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { FakeClock } from "../support/clock.ts";
import {
  fakeAttempt,
  fakeRequest,
  fakeResponse,
  fakeSession,
} from "../../core/testing/views.ts";

const request = fakeRequest({
  method: "POST",
  target: "/a%20b?c=d",
  scheme: "https",
  headers: { "x-name": "value", cookie: "sid=42; other=1" },
}, {
  session: fakeSession({ id: "s9", listener: "edge" }),
  id: "t9",
});

function render(text: string, scope: Scope = "request"): string {
  return compileTemplate(text, scope, new FakeClock()).render(request);
}

const RENDERED: readonly (readonly [string, string])[] = [
  ["%{client_address}", "192.0.2.1"],
  ["%{client_port}", "50000"],
  ["%{host}", "example.com"],
  ["%{method}", "POST"],
  ["%{path}", "/a%20b"],
  ["%{query}", "c=d"],
  ["%{target}", "/a%20b?c=d"],
  ["%{scheme}", "https"],
  ["%{product}", "shop"],
  ["%{cluster}", "api"],
  ["%{session_id}", "s9"],
  ["%{transaction_id}", "t9"],
  ["%{listener}", "edge"],
  ["%{time_iso}", "2023-11-14T22:13:21.000Z"],
  ["%{time_unix}", "1700000001"],
  ["%{header:X-Name}", "value"],
  ["%{cookie:sid}", "42"],
  ["%{header:x-none}", ""],
  ["%{cookie:none}", ""],
  ["100%%", "100%"],
  ["%%{host}", "%{host}"],
  ["a %{method} %{host}!", "a POST example.com!"],
  ["plain", "plain"],
];

for (const [text, rendered] of RENDERED) {
  Deno.test(`compileTemplate() renders ${text} as ${rendered || "nothing"}`, () => {
    assertEquals(render(text), rendered);
  });
}

Deno.test("compileTemplate() reads the status of a response", () => {
  const template = compileTemplate("%{status}", "response", new FakeClock());
  const response = fakeResponse({ status: 404 });

  assertEquals(template.render(request, response), "404");
});

Deno.test("compileTemplate() reads the running attempt's backend, else the last one's", () => {
  const template = compileTemplate("%{backend}", "response", new FakeClock());
  const attempts = [fakeAttempt(), fakeAttempt({ backend: "a2" })];
  const answered = fakeRequest({}, { attempts });
  const running = fakeAttempt({ backend: "a3" });

  assertEquals(template.usesBackend, true);
  assertEquals(template.render(answered), "a2");
  assertEquals(template.render(answered, undefined, running), "a3");
  assertEquals(template.render(fakeRequest()), "");
});

Deno.test("compileTemplate() renders what needs no request where none parsed", () => {
  const template = compileTemplate(
    "%{status}%{host}%{header:a}",
    "response",
    new FakeClock(),
  );

  assertEquals(
    template.render(undefined, fakeResponse({ status: 400 })),
    "400",
  );
});

Deno.test("compileTemplate() percent-encodes what no field value may hold", () => {
  const odd = fakeRequest({ product: "é–\n\ud800" });
  const template = compileTemplate("%{product}", "request", new FakeClock());

  assertEquals(template.render(odd), "é%E2%80%93%0A%EF%BF%BD");
});

Deno.test("compileTemplate() trims what variables leave at the ends", () => {
  assertEquals(render("%{cookie:none} x %{cookie:none}"), "x");
});

const PROBLEMS: readonly (readonly [string, Scope, string])[] = [
  ["%{hots}", "request", "Unknown variable %{hots}: expected one of "],
  ["%{}", "request", "Unknown variable %{}"],
  ["%{header}", "request", "expected a name as in %{header:x-name}"],
  ["%{cookie:a b}", "request", "expected a name as in %{cookie:x-name}"],
  ["%{host:x}", "request", "expected %{host} without an argument"],
  ["%{status}", "request", "only a response has a status"],
  ["%{host", "request", "expected %{name}, or %% for a percent sign"],
  ["50% off", "response", 'Cannot read "% off" as a variable'],
  ["%", "response", 'Cannot read "%" as a variable'],
];

for (const [text, scope, problem] of PROBLEMS) {
  Deno.test(`templateProblem() tells what is wrong with ${text} in a ${scope}`, () => {
    assertStringIncludes(templateProblem(text, scope) ?? "", problem);
  });
}

Deno.test("templateProblem() lists the variables that there are", () => {
  assertMatch(
    templateProblem("%{x}", "request") ?? "",
    /client_address, .*time_unix, header:NAME, cookie:NAME$/,
  );
});

Deno.test("templateProblem() finds nothing wrong with a status in a response", () => {
  assertEquals(templateProblem("%{status}", "response"), undefined);
});

Deno.test("compileTemplate() throws what templateProblem() tells", () => {
  assertThrows(() => render("%{hots}"), SyntaxError, "Unknown variable");
});
