/**
 * Proxies that run the config of a built-in plugin's doc header as it stands.
 *
 * @module
 */
import { docSample } from "./doc_sample.ts";
import { startProxy, type TestProxy } from "./proxy.ts";

/** Starts it with one worker, its listeners on free ports; `edit` puts the test's own files and addresses in. */
export async function startSample(
  name: string,
  edit: (sample: string) => string = (sample) => sample,
): Promise<TestProxy> {
  const sample = edit(await docSample(name));
  return await startProxy(
    sample.replaceAll(/127\.0\.0\.1:80\d\d/g, "127.0.0.1:0") +
      "\nworkers: 1\n",
  );
}
