/** The web app: a small shop page for browsers, the same as JSON for curl. */
import { call, json, required, serve } from "./serve.ts";

const catalog = required("CATALOG_URL");

interface Product {
  readonly name: string;
  readonly price: number;
  readonly stars: number | null;
}

interface Catalog {
  readonly reviews: string;
  readonly products: readonly Product[];
}

serve({
  name: "web",
  answer: async (request, url) => {
    if (url.pathname !== "/") return json(404, { error: `No such path "${url.pathname}"` });
    const response = await call(request, `${catalog}/products`);
    if (!response.ok) {
      return json(502, { service: "web", error: `catalog answered ${response.status}` });
    }
    const shop: Catalog = await response.json();
    if (!(request.headers.get("accept") ?? "").includes("text/html")) {
      return json(200, {
        service: "web",
        reviews: shop.reviews,
        // A filter beside this app decides it; the app only reads the header.
        group: request.headers.get("x-visitor-group") ?? "none",
        products: shop.products,
      });
    }
    return new Response(page(shop), { headers: { "content-type": "text/html; charset=utf-8" } });
  },
});

function page(shop: Catalog): string {
  const rows = shop.products.map((product) =>
    `<tr><td>${escape(product.name)}</td><td>€ ${product.price}</td><td>${
      product.stars === null ? "–" : `${product.stars} of 5`
    }</td></tr>`
  ).join("");
  return `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Demo shop</title>
<style>
  :root { color-scheme: light dark; font: 17px/1.6 Georgia, serif }
  body { max-width: 34rem; margin: 12vh auto; padding: 0 1.2rem }
  table { width: 100%; border-collapse: collapse } td { padding: .5rem 0; border-bottom: 1px solid #8884 }
  td:not(:first-child) { text-align: right } small { opacity: .7 }
</style>
<h1>Demo shop</h1><table>${rows}</table>
<p><small>web → catalog → reviews ${
    escape(shop.reviews)
  }. Reload: one answer in ten is v2.</small></p>
</html>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
