import type { TlsFacts } from "../../core/plugin.ts";
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

let tlsNeeded = 0;
const CONTEXT = {
  clock: new FakeClock(),
  needTlsFacts: () => void tlsNeeded++,
};

const TLS: TlsFacts = {
  serverName: "a.example",
  alpn: undefined,
  version: "TLSv1.3",
  cipher: undefined,
  clientCertificate: {
    subject: "CN=alice",
    issuer: "CN=ca",
    names: [],
    serialNumber: "01",
    fingerprint: "ab",
    notBefore: 0,
    notAfter: 0,
  },
};

const request = fakeRequest({
  tags: new Map([["kind", ["a", "b"]]]),
  method: "POST",
  target: "/a%20b?c=d",
  scheme: "https",
  headers: { "x-name": "value", cookie: "sid=42; other=1" },
}, {
  session: fakeSession({ id: "s9", listener: "edge", tls: TLS }),
  id: "t9",
  attempts: [fakeAttempt()],
});

function render(text: string, scope: Scope = "request"): string {
  return compileTemplate(text, scope, CONTEXT).render(request);
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
  ["%{peer_address}", "192.0.2.1"],
  ["%{local_address}:%{local_port}", "192.0.2.9:80"],
  ["%{protocol}", "HTTP/1.1"],
  ["%{request_id}", "t9"],
  ["%{time_http}", "Tue, 14 Nov 2023 22:13:21 GMT"],
  ["%{time_unix_ms}", "1700000001000"],
  ["%{start_iso}", "2023-11-14T22:13:20.000Z"],
  ["%{duration_ms}", "12.5"],
  ["%{parameter:c}", "d"],
  ["%{tag:kind}", "a,b"],
  ["%{tls_version} %{tls_sni}", "TLSv1.3 a.example"],
  ["%{tls_client_subject}", "CN=alice"],
  ["%{subcluster}%{attempt}%{backend_address}", "default110.0.0.1"],
];

for (const [text, rendered] of RENDERED) {
  Deno.test(`compileTemplate() renders ${text} as ${rendered || "nothing"}`, () => {
    assertEquals(render(text), rendered);
  });
}

Deno.test("compileTemplate() reads the status of a response", () => {
  const template = compileTemplate("%{status}", "response", CONTEXT);
  const response = fakeResponse({ status: 404 });

  assertEquals(template.render(request, response), "404");
});

Deno.test("compileTemplate() reads the running attempt's backend, else the last one's", () => {
  const template = compileTemplate("%{backend}", "response", CONTEXT);
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
    CONTEXT,
  );

  assertEquals(
    template.render(undefined, fakeResponse({ status: 400 })),
    "400",
  );
});

Deno.test("compileTemplate() percent-encodes what no field value may hold", () => {
  const odd = fakeRequest({ product: "é–\n\ud800" });
  const template = compileTemplate("%{product}", "request", CONTEXT);

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
  ["%{status}", "request", "only a response has it"],
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
    /client_address, .*time_unix, .*header:NAME, cookie:NAME, /,
  );
});

Deno.test("templateProblem() finds nothing wrong with a status in a response", () => {
  assertEquals(templateProblem("%{status}", "response"), undefined);
});

Deno.test("compileTemplate() throws what templateProblem() tells", () => {
  assertThrows(() => render("%{hots}"), SyntaxError, "Unknown variable");
});

Deno.test("compileTemplate() says where it needs facts of TLS", () => {
  tlsNeeded = 0;
  compileTemplate("%{tls_alpn} %{host}", "request", CONTEXT);
  assertEquals(tlsNeeded, 0);
  compileTemplate("%{tls_version}", "request", CONTEXT);
  assertEquals(tlsNeeded, 1);
});

Deno.test("a log's template tells what is final, of sessions too", () => {
  const template = compileTemplate(
    "%{client_address} %{method} %{status} %{bytes_out} %{attempts} %{error} %{response_head_ms}",
    "log",
    CONTEXT,
    (value) => value || "-",
  );
  const { transaction } = request;
  assertEquals(
    template.renderLog(transaction.session, transaction),
    "192.0.2.1 POST 200 230 1 - 10",
  );
  assertEquals(
    template.renderLog(fakeSession({ bytesOut: 7 }), undefined),
    "192.0.2.1 - - 7 - - -",
  );
});
