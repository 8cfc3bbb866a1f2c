/**
 * The page for people: one line a route.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { html, raw } from "hono/html";
import { VERSION } from "../version.ts";
import type { AdminRoute } from "./route.ts";

const STYLE = `
  :root { color-scheme: light dark; font-family: system-ui, sans-serif; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  td, th { padding: 0.3rem 1rem 0.3rem 0; text-align: left; vertical-align: top; }
`;

/** The one style is allowed by its hash, scripts not at all. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "frame-ancestors 'none'",
].join("; ");

/** The route of the page, which lists itself and the others. */
export function pageRoute(others: readonly AdminRoute[]): AdminRoute {
  const page: AdminRoute = {
    method: "GET",
    path: "/",
    does: "this page",
    async handle(context) {
      const answer = await context.html(renderPage([page, ...others]));
      answer.headers.set("content-security-policy", CONTENT_SECURITY_POLICY);
      return answer;
    },
  };
  return page;
}

/** The page's text; whatever the rows hold is escaped. */
export function renderPage(routes: readonly AdminRoute[]) {
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>Headrace</title>
        <style>${raw(STYLE)}</style>
      </head>
      <body>
        <h1>Headrace ${VERSION}</h1>
        <table>
          <tr><th>Method</th><th>Path</th><th>What it does</th></tr>
          ${routes.map(renderRoute)}
        </table>
      </body>
    </html>
  `;
}

function renderRoute({ method, path, does }: AdminRoute) {
  // Only what a browser can open as it stands becomes a link.
  const shown = method === "GET" && !path.includes(":")
    ? html`<a href="${path}">${path}</a>`
    : html`<code>${path}</code>`;
  return html`
    <tr>
      <td>${method}</td>
      <td>${shown}</td>
      <td>${does}</td>
    </tr>
  `;
}
