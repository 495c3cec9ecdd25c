/** The catalog app: products with their prices, and the stars it asks the reviews app for. */
import { call, json, required, serve } from "./serve.ts";

const reviews = required("REVIEWS_URL");

const PRODUCTS = [
  { id: "selvedge-jacket", name: "Selvedge jacket", price: 189 },
  { id: "raw-jeans", name: "Raw jeans", price: 129 },
  { id: "indigo-shirt", name: "Indigo shirt", price: 74 },
] as const;

interface Stars {
  readonly version: string;
  readonly stars: Readonly<Record<string, number>>;
}

serve({
  name: "catalog",
  answer: async (request, url) => {
    if (url.pathname !== "/products") return json(404, { error: `No such path "${url.pathname}"` });
    const response = await call(request, `${reviews}/stars`);
    if (!response.ok) {
      // A shop without stars is better than no shop: say what is missing and go on.
      await response.body?.cancel();
      return json(200, {
        service: "catalog",
        reviews: `unavailable (${response.status})`,
        products: PRODUCTS.map((product) => ({ ...product, stars: null })),
      });
    }
    const rated: Stars = await response.json();
    return json(200, {
      service: "catalog",
      reviews: rated.version,
      products: PRODUCTS.map((product) => ({ ...product, stars: rated.stars[product.id] ?? null })),
    });
  },
});
