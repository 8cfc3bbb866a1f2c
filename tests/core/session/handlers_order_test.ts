/**
 * In which order the handlers of a point run: by scope, by `order`, by the
 * config's order.
 *
 * @module
 */
import type { Handlers } from "../../../core/plugin.ts";
import { assertEquals } from "../../support/assert.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { type ProxyWith, startProxyWith } from "../../support/proxy_with.ts";

const SHOP = {
  name: "shop",
  hosts: ["shop.example"],
  rules: [{ respond: { status: 200 } }],
};
const OTHER = { ...SHOP, name: "other", hosts: ["other.example"] };

/** Sends one GET for each host over one connection. */
async function ask(
  parts: ProxyWith,
  hosts: readonly string[] = ["shop.example"],
): Promise<void> {
  await using proxy = await startProxyWith({
    products: [SHOP, OTHER],
    ...parts,
  });
  using client = await HttpClient.connect(proxy.port());
  for (const host of hosts) await client.get("/", host);
}

/** A plugin whose handler at foundProduct notes its name. */
function noting(ran: string[], name: string, more: object = {}): object {
  const handlers: Handlers = {
    foundProduct: () => {
      ran.push(name);
      return undefined;
    },
  };
  return { ...handlersPlugin(name, handlers), ...more };
}

Deno.test("handlers run in the config's order where `order` is the same", async () => {
  const ran: string[] = [];
  await ask({
    plugins: [noting(ran, "b"), noting(ran, "a"), noting(ran, "c")],
  });
  assertEquals(ran, ["b", "a", "c"]);
});

Deno.test("handlers run by `order`, lower first, negative ones too", async () => {
  const ran: string[] = [];
  await ask({
    plugins: [
      noting(ran, "ten", { order: 10 }),
      noting(ran, "zero"),
      noting(ran, "minus", { order: -1 }),
      noting(ran, "ten too", { order: 10 }),
    ],
  });
  assertEquals(ran, ["minus", "zero", "ten", "ten too"]);
});

Deno.test("global handlers run before a product's, whatever their order", async () => {
  const ran: string[] = [];
  await ask({
    plugins: [
      noting(ran, "shop's", { products: ["shop"], order: -100 }),
      noting(ran, "global", { order: 100 }),
    ],
  });
  assertEquals(ran, ["global", "shop's"]);
});

Deno.test("a product's handlers run for that product only, in each transaction anew", async () => {
  const ran: string[] = [];
  await ask(
    {
      plugins: [
        noting(ran, "shop's", { products: ["shop"] }),
        noting(ran, "other's", { products: ["other"] }),
      ],
    },
    ["shop.example", "other.example", "shop.example"],
  );
  assertEquals(ran, ["shop's", "other's", "shop's"]);
});

Deno.test("a plugin limited to listeners runs on these only", async () => {
  const ran: string[] = [];
  await using proxy = await startProxyWith({
    products: [{ ...SHOP, default: true }],
    listeners: [{ name: "side", address: "127.0.0.1:0" }],
    plugins: [
      noting(ran, "web's", { listeners: ["web"] }),
      noting(ran, "side's", { listeners: ["side"] }),
      noting(ran, "both's", { listeners: ["web", "side"] }),
    ],
  });
  for (const listener of [0, 1]) {
    using client = await HttpClient.connect(proxy.port(listener));
    await client.get();
    ran.push("|");
  }
  assertEquals(ran, ["web's", "both's", "|", "side's", "both's", "|"]);
});

Deno.test("the order of scopes: global, product's, session's, transaction's", async () => {
  const ran: string[] = [];
  const note = (text: string) => (): undefined => {
    ran.push(text);
  };
  await ask({
    plugins: [
      {
        ...handlersPlugin("scopes", {
          readRequestHeader: (request) => {
            request.transaction.on("foundProduct", note("transaction's"));
            request.session.on("foundProduct", note("session's"));
          },
        }),
        order: -100,
      },
      noting(ran, "shop's", { products: ["shop"] }),
      noting(ran, "global", { order: 100 }),
    ],
  });
  assertEquals(ran, ["global", "shop's", "session's", "transaction's"]);
});

for (const scope of ["session", "transaction"] as const) {
  Deno.test(`${scope}.on: inside the scope the plugins' order holds, then the config's`, async () => {
    const ran: string[] = [];
    /** Registers at a point before the others do, so that coming first is no reason. */
    const registering = (
      name: string,
      point: keyof Handlers,
      order: number,
    ) => ({
      ...handlersPlugin(name, {
        [point]: (
          request: Parameters<
            NonNullable<Handlers["readRequestHeader"]>
          >[0],
        ) => {
          request[scope].on("foundProduct", () => {
            ran.push(name);
            return undefined;
          });
        },
      }),
      order,
    });
    await ask({
      plugins: [
        registering("late", "readRequestHeader", 10),
        registering("first of two", "beforeLocation", 5),
        registering("second of two", "readRequestHeader", 5),
        registering("early", "beforeLocation", -5),
      ],
    });
    assertEquals(ran, ["early", "first of two", "second of two", "late"]);
  });

  Deno.test(`${scope}.on registers for the point that is running`, async () => {
    const ran: string[] = [];
    await ask({
      plugins: [handlersPlugin("self", {
        foundProduct: (request) => {
          ran.push("global");
          request[scope].on("foundProduct", (again) => {
            ran.push("added");
            again[scope].on("foundProduct", () => {
              ran.push("added by the added");
              return undefined;
            });
          });
        },
      })],
    });
    assertEquals(ran, ["global", "added", "added by the added"]);
  });

  Deno.test(`${scope}.on at the point that is running: one whose turn has passed runs next, once`, async () => {
    const ran: string[] = [];
    const add = (
      point: "readRequestHeader" | "foundProduct",
      name: string,
      order: number,
      then: () => void = () => {},
    ) => ({
      ...handlersPlugin(name, {
        [point]: (
          request: Parameters<
            NonNullable<Handlers["readRequestHeader"]>
          >[0],
        ) => {
          request[scope].on("foundProduct", async () => {
            ran.push(name);
            await Promise.resolve();
            then();
            return undefined;
          });
        },
      }),
      order,
    });
    let addEarly = () => {};
    await ask({
      plugins: [
        {
          ...handlersPlugin("early", {
            foundProduct: (request) => {
              addEarly = () =>
                request[scope].on("foundProduct", () => {
                  ran.push("early");
                  return undefined;
                });
            },
          }),
        },
        add("readRequestHeader", "one", 1, () => addEarly()),
        add("readRequestHeader", "two", 2),
      ],
    });
    assertEquals(ran, ["one", "early", "two"]);
  });
}

Deno.test("session.on lasts for the session, transaction.on for the transaction", async () => {
  const ran: string[] = [];
  await ask({
    plugins: [handlersPlugin("once", {
      readRequestHeader: (request) => {
        const { transaction, session } = request;
        if (transaction.number > 1) return;
        session.on("foundProduct", () => {
          ran.push("session's");
          return undefined;
        });
        transaction.on("foundProduct", () => {
          ran.push("transaction's");
          return undefined;
        });
      },
    })],
  }, ["shop.example", "shop.example"]);
  assertEquals(ran, ["session's", "transaction's", "session's"]);
});

Deno.test("session.on does not reach other sessions", async () => {
  const ran: string[] = [];
  await using proxy = await startProxyWith({
    products: [{ ...SHOP, default: true }],
    plugins: [handlersPlugin("once", {
      accept: (session) => {
        if (ran.length > 0) return;
        ran.push("registered");
        session.on("foundProduct", () => {
          ran.push("session's");
          return undefined;
        });
      },
    })],
  });
  for (let i = 0; i < 2; i++) {
    using client = await HttpClient.connect(proxy.port());
    await client.get();
  }
  assertEquals(ran, ["registered", "session's"]);
});

Deno.test("session.on at accept registers for every later point", async () => {
  const ran: string[] = [];
  const finished = Promise.withResolvers<void>();
  await using proxy = await startProxyWith({
    products: [{ ...SHOP, default: true }],
    plugins: [handlersPlugin("accept", {
      accept: (session) => {
        session.on("accept", (same) => {
          ran.push(`accept ${same === session}`);
        });
        session.on("transactionStart", (transaction) => {
          ran.push(`transactionStart ${transaction.number}`);
        });
        session.on("finish", () => {
          ran.push("finish");
          finished.resolve();
        });
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.get();
  client.close();
  await finished.promise;
  assertEquals(ran, ["accept true", "transactionStart 1", "finish"]);
});

Deno.test("a handler that `on` added can answer a verdict, which ends the point's list", async () => {
  const ran: string[] = [];
  await using proxy = await startProxyWith({
    products: [{ ...SHOP, default: true }],
    plugins: [handlersPlugin("adds", ({ verdict }) => ({
      readRequestHeader: (request) => {
        request.session.on(
          "foundProduct",
          () => verdict.respond({ status: 418 }),
        );
        request.transaction.on("foundProduct", () => {
          ran.push("skipped");
          return undefined;
        });
      },
    }))],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).status, 418);
  assertEquals(ran, []);
});

Deno.test("on refuses what is no point or no function", async () => {
  const messages: string[] = [];
  await ask({
    plugins: [handlersPlugin("wrong", {
      readRequestHeader: (request) => {
        for (
          const [point, handler] of [
            ["foundProdukt", () => undefined],
            ["foundProduct", "no function"],
          ] as const
        ) {
          try {
            request.session.on(
              point as "foundProduct",
              handler as () => undefined,
            );
          } catch (error) {
            messages.push((error as Error).name);
          }
        }
      },
    })],
  });
  assertEquals(messages, ["TypeError", "TypeError"]);
});
