/**
 * Headrace with one worker.
 *
 * @module
 */
import { type Launch, logOf, type Site } from "./setup.ts";

/** Writes its config; how it is started. */
export async function launchHeadrace(site: Site): Promise<Launch> {
  const file = `${site.folder}/headrace.yaml`;
  // JSON is YAML.
  await Deno.writeTextFile(file, JSON.stringify(configOf(site), null, 2));
  const main = new URL("../../main.ts", import.meta.url).pathname;
  return {
    command: Deno.execPath(),
    args: ["run", "-A", main, "--config", file],
  };
}

function configOf(site: Site): object {
  const tcp = site.setup === "relay" || site.setup === "ping";
  const url = `${tcp ? "tcp" : "http"}://${site.backend}`;
  return {
    listeners: listenersOf(site, tcp),
    clusters: [
      { name: "pool", backends: [{ url }] },
      ...(site.setup === "rules"
        ? [{ name: "other", backends: [{ id: "other", url }] }]
        : []),
    ],
    ...(site.setup === "rules" ? rulesAndPlugins(site) : {}),
    workers: 1,
    io: site.io,
    log: { level: "warn" },
    admin: { address: `127.0.0.1:${site.admin}` },
  };
}

function listenersOf({ setup, ports }: Site, tcp: boolean): object[] {
  const plain = {
    name: "plain",
    address: `127.0.0.1:${ports.plain}`,
    ...(tcp ? { protocol: "tcp", cluster: "pool" } : {}),
  };
  if (setup !== "web") return [plain];
  const one = { cert: "one.crt", key: "one.key" };
  const two = { cert: "two.crt", key: "two.key" };
  return [
    plain,
    {
      name: "tls",
      address: `127.0.0.1:${ports.tls}`,
      tls: { certificates: [one] },
    },
    {
      name: "several",
      address: `127.0.0.1:${ports.tlsSeveral}`,
      tls: { certificates: [one, two] },
    },
  ];
}

function rulesAndPlugins({ folder }: Site): object {
  return {
    products: [{
      name: "site",
      default: true,
      rules: [
        {
          when: 'req_path_prefix_in("/admin/", false) && ' +
            'req_method_in("POST|PUT")',
          cluster: "other",
        },
        {
          when: 'req_header_value_in("X-Tenant", "blue", false)',
          cluster: "other",
        },
        {
          when: 'req_method_in("GET|HEAD") && req_path_prefix_in("/", false)',
          cluster: "pool",
        },
      ],
    }],
    plugins: [
      {
        use: "builtin:access-log",
        options: { format: "combined", path: logOf(folder, "headrace") },
      },
      {
        use: "builtin:headers",
        options: {
          request: { set: { "X-Real-IP": "%{client_address}" } },
          response: {
            set: { "Strict-Transport-Security": "max-age=31536000" },
            remove: ["ETag"],
          },
        },
      },
    ],
  };
}
