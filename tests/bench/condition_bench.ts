/**
 * What a typical rule costs per request, and what it costs to load one.
 *
 * @module
 */
import { compileCondition } from "../../core/conditions/compile.ts";
import { builtinPrimitives } from "../../core/conditions/primitives.ts";
import { systemClock } from "../../core/net/clock.ts";
import { FakeRequest } from "../support/fake_request.ts";

const primitives = builtinPrimitives(systemClock);
const TYPICAL =
  'req_path_prefix_in("/api/", false) && req_method_in("GET|POST")';
const request = new FakeRequest({ target: "/api/v1/items/42?page=2" });

function bench(name: string, text: string): void {
  const condition = compileCondition(text, primitives).test;
  Deno.bench(`evaluate: ${name}`, () => {
    condition(request);
  });
}

bench("prefix and method", TYPICAL);
bench("host list", 'req_host_in("a.example.com|b.example.com|example.com")');
bench(
  "element prefix without case",
  'req_path_element_prefix_in("/API", true)',
);
bench("pattern on the path", "req_path_regmatch(`^/api/v[0-9]+/`)");
bench("query key", 'req_query_key_in("page")');
bench("address range", 'req_cip_range("192.0.2.0", "192.0.2.255")');

Deno.bench("compile: prefix and method", () => {
  compileCondition(TYPICAL, primitives);
});
Deno.bench("compile: pattern", () => {
  compileCondition("req_path_regmatch(`^/api/v[0-9]+/`)", primitives);
});
