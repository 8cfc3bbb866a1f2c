/**
 * HAProxy with one thread, a pool towards the backend and X-Forwarded-For.
 *
 * @module
 */
import { type Launch, logOf, type Site } from "./setup.ts";

/** Writes its config; how it is started. */
export async function launchHaproxy(site: Site): Promise<Launch> {
  const { folder } = site;
  const file = `${folder}/haproxy.cfg`;
  const cert = await Deno.readTextFile(`${folder}/one.crt`);
  const key = await Deno.readTextFile(`${folder}/one.key`);
  await Deno.writeTextFile(`${folder}/one.pem`, cert + key);
  await Deno.writeTextFile(file, configOf(site));
  const log = logOf(folder, "haproxy");
  return {
    command: "sh",
    args: ["-c", `exec haproxy -db -f "${file}" >> "${log}"`],
  };
}

function configOf(site: Site): string {
  const tcp = site.setup === "relay" || site.setup === "ping";
  return `global
  nbthread 1
  log stdout format raw local0
defaults
  mode ${tcp ? "tcp" : "http"}
  ${tcp ? "" : "option forwardfor"}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
${frontendOf(site)}
  default_backend pool
backend pool
  ${tcp ? "" : "http-reuse always"}
  server one ${site.backend}
backend other
  ${tcp ? "" : "http-reuse always"}
  server one ${site.backend}
`;
}

function frontendOf({ setup, ports, folder }: Site): string {
  const lines = [`  bind 127.0.0.1:${ports.plain}`];
  if (setup === "web") {
    lines.push(
      `  bind 127.0.0.1:${ports.tls} ssl crt ${folder}/one.pem`,
    );
  }
  if (setup === "rules") {
    lines.push(
      "  log global",
      "  option httplog",
      "  http-request set-header X-Real-IP %[src]",
      "  http-response set-header Strict-Transport-Security max-age=31536000",
      "  http-response del-header ETag",
      "  use_backend other if { path_beg /admin/ } { method POST PUT }",
      "  use_backend other if { req.hdr(x-tenant) -m str blue }",
      "  use_backend pool if { method GET HEAD } { path_beg / }",
    );
  }
  return lines.join("\n");
}
