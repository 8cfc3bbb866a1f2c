/**
 * A rule for `deno lint`: in core/ no function literal is assigned to a
 * property.
 *
 * V8 takes such a function for one that lives long and puts it into old space:
 * it and all that it reaches stay until the next full collection, however soon
 * the property is cleared. Where that happened for each request, 13 to 20 % of
 * all allocated bytes survived minor collections, and 1 to 2 % without it; for
 * each connection whole sessions did (tests/e2e/minor_collections_test.ts).
 *
 * A function in a constant, or one that a class field begins with, is as young
 * as any other object.
 *
 * @module
 */
const CORE = new URL("../core/", import.meta.url).pathname;

export default {
  name: "headrace",
  rules: {
    "no-old-closures": {
      create(context) {
        if (!context.filename.startsWith(CORE)) return {};
        return {
          AssignmentExpression({ left, right }) {
            if (left.type !== "MemberExpression") return;
            if (
              right.type !== "ArrowFunctionExpression" &&
              right.type !== "FunctionExpression"
            ) return;
            context.report({
              node: right,
              message:
                "V8 puts a function literal that is assigned to a property into old space",
              hint: "Name it in a constant first, or make it a class field",
            });
          },
        };
      },
    },
  },
} satisfies Deno.lint.Plugin;
