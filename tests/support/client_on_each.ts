/**
 * Clients whose workers are known.
 *
 * @module
 */
import { eventually } from "./eventually.ts";
import { HttpClient } from "./http_client.ts";

/**
 * A client on each of two workers, or more: the kernel chooses, so as many as it
 * takes. Answers at `path` tell theirs, `self.name`, as X-Worker.
 */
export async function clientOnEach(port: number, path = "/", workers = 2) {
  const found = new Map<string, HttpClient>();
  await eventually("a connection to each worker", async () => {
    const client = await HttpClient.connect(port);
    const worker = (await client.get(path)).headers.get("x-worker")!;
    if (found.has(worker)) client.close();
    else found.set(worker, client);
    return found.size === workers;
  });
  const [first, second, ...others] = Array.from(
    { length: workers },
    (_, worker) => found.get(`headrace-${worker}`)!,
  );
  const clients = [first!, second!, ...others] as const;
  return {
    clients,
    [Symbol.dispose]() {
      for (const client of clients) client.close();
    },
  };
}
