/**
 * Conditions of a config file, with the rule language that judges them.
 *
 * @module
 */
import { checkCondition } from "../../../core/conditions/check.ts";
import { loadConfig } from "../../../core/config/load.ts";
import { assertEquals } from "../../support/assert.ts";

const CONFIG = `
listeners: [{ name: web, address: "127.0.0.1:8080" }]
clusters: [{ name: app, backends: [{ url: "http://127.0.0.1:9001" }] }]
products:
  - name: shop
    hosts: ["Shop.example.com", "*.shop.example.com", "[2001:DB8::1]"]
    rules:
      - when: 'WHEN'
        cluster: app
`;

/** Condition, what the report says of it; nothing where it is right. */
const ROWS: readonly (readonly [string, readonly string[]])[] = [
  ['req_host_tag_in("shop.example.com|*.SHOP.example.com|[2001:db8::1]")', []],
  [
    'req_host_tag_in("mobile")',
    [
      'Cannot use req_host_tag_in at offset 0: An entry must be one of the product\'s hosts: current value is "mobile"',
    ],
  ],
  [
    'default_t() && res_code_in("500")',
    [
      "Cannot use res_code_in at offset 15: there is no response yet when this condition is asked",
    ],
  ],
  ['!req_body_json_in("user.id", "1|2", false)', []],
  [
    'req_vip_in("10.0.0.1|10.0.0.300")',
    [
      'An IP address was expected: current value is "10.0.0.300" (argument 1 of req_vip_in at offset 11)',
    ],
  ],
];

for (const [when, messages] of ROWS) {
  Deno.test(`loadConfig judges when: ${when}`, async () => {
    const { problems } = await loadConfig({
      path: "proxy.yaml",
      text: CONFIG.replace("WHEN", () => when),
      env: () => undefined,
    }, { checkCondition });
    assertEquals(problems.map(({ message }) => message), messages);
    assertEquals(
      problems.map(({ path, line, column }) => [path, line, column]),
      messages.map(() => ["products[0].rules[0].when", 8, 15]),
    );
  });
}

Deno.test("loadConfig leaves entries of hosts to their own problem", async () => {
  const { problems } = await loadConfig({
    path: "proxy.yaml",
    text: CONFIG.replace("*.shop.", "*shop.").replace(
      "WHEN",
      'req_host_tag_in("shop.example.com")',
    ),
    env: () => undefined,
  }, { checkCondition });
  assertEquals(problems.map(({ path }) => path), ["products[0].hosts[1]"]);
});
