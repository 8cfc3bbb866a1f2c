import { adminRoutes } from "../../../core/admin/app.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { fakeApp, FakeLog, FakeSource } from "./fake_source.ts";

Deno.test("/api/openapi.json has every route with the parameters of its path", async () => {
  const { app } = fakeApp();
  const answer = await app.request("/api/openapi.json");
  const document = await answer.json();
  assertEquals(document.openapi, "3.1.0");
  const routes = adminRoutes(new FakeSource(), new FakeLog())
    .filter(({ path }) => path !== "/");
  let count = 0;
  for (const { path, method, does } of routes) {
    const shown = path.replace(/:(\w+)/g, "{$1}");
    const operation = document.paths[shown][method.toLowerCase()];
    assertEquals(operation.summary, does);
    const inPath = (operation.parameters ?? [])
      .filter((one: { in: string }) => one.in === "path")
      .map((one: { name: string }) => `:${one.name}`);
    assertEquals(inPath, path.match(/:\w+/g) ?? []);
    assert(Object.keys(operation.responses).some((one) => one.startsWith("2")));
    count++;
  }
  const told = Object.values<object>(document.paths)
    .flatMap((methods) => Object.keys(methods));
  assertEquals(told.length, count);
});

Deno.test("/api/openapi.json tells queries, bodies, statuses and who needs no token", async () => {
  const { app } = fakeApp();
  const { paths } = await (await app.request("/api/openapi.json")).json();
  assertEquals(
    paths["/api/websockets"].get.parameters.map((one: { name: string }) =>
      one.name
    ),
    ["limit", "cluster", "backend", "listener", "state"],
  );
  const add = paths["/api/clusters/{name}/backends"].post;
  assertEquals(
    add.requestBody.content["application/json"].schema.required,
    ["url"],
  );
  assertEquals(Object.keys(add.responses), ["201", "400", "404", "409", "422"]);
  assertEquals(paths["/healthz"].get.security, []);
  assertEquals(paths["/metrics"].get.security, undefined);
});
