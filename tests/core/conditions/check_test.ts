/**
 * What a config's check says of conditions.
 *
 * @module
 */
import { checkCondition } from "../../../core/conditions/check.ts";
import { assertEquals } from "../../support/assert.ts";

const NONE = { pluginsMayAdd: false };
const PLUGINS = { pluginsMayAdd: true };

/** Text, facts, what is wrong. */
const ROWS: readonly (readonly [
  string,
  Parameters<typeof checkCondition>[1],
  string | undefined,
])[] = [
  ['req_host_in("a.com") && !ses_tls_client_auth()', NONE, undefined],
  [
    'own("x") || default_t()',
    NONE,
    "Expected the name of a primitive at offset 0: found `own`",
  ],
  ['own("x") || default_t()', PLUGINS, undefined],
  [
    'own("x") || req_port_in("x")',
    PLUGINS,
    'A port must be a number from 0 to 65535: current value is "x" (argument 1 of req_port_in at offset 24)',
  ],
  [
    'own("x") && res_code_in("200")',
    PLUGINS,
    "Cannot use res_code_in at offset 12: there is no response yet when this condition is asked",
  ],
  [
    'own("x") || req_body_json_in("a.", "b", true)',
    PLUGINS,
    'A path must be names with dots between them: current value is "a." (argument 1 of req_body_json_in at offset 29)',
  ],
  ['req_host_tag_in("a.com")', { ...NONE, hosts: ["a.com"] }, undefined],
  [
    'req_host_tag_in("b.com")',
    { ...NONE, hosts: ["a.com"] },
    'Cannot use req_host_tag_in at offset 0: An entry must be one of the product\'s hosts: current value is "b.com", did you mean "a.com"?',
  ],
  [
    'req_host_tag_in("a.com")',
    NONE,
    "Cannot use req_host_tag_in at offset 0: only a product's rules know entries of `hosts`",
  ],
];

for (const [text, facts, problem] of ROWS) {
  Deno.test(`checkCondition ${text} with ${JSON.stringify(facts)}`, () => {
    assertEquals(checkCondition(text, facts), problem);
  });
}
