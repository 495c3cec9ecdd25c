/**
 * The marketplace of the control plane: `await Market.open(dir, { clock, log })` gives a {@link MarketApi}.
 *
 * REST: `POST /api/v1/filters` takes the form of `pushToForm` and answers 201 with the {@link Listing};
 * `POST /api/v1/publishers {name, publicKey}` is `addPublisherKey`. Every refusal is a {@link MarketError} with
 * `status`, `code` and `details`.
 * @module
 */
export type {
  Listing,
  MarketApi,
  Measured,
  Publisher,
  PublisherKey,
  Push,
  Statement,
} from "./types.ts";
export { bindingOf, bindingResource } from "./binding.ts";
export { BuildError, buildFilter, type BuildOptions, type BuiltFilter } from "./build.ts";
export { configText, type Manifest, readManifest } from "./manifest.ts";
export { Market, type MarketDeps } from "./market.ts";
export { createSigningKey, type SigningKey, signStatement } from "./statement.ts";
export { MarketError } from "./types.ts";
export { pushFromForm, pushToForm } from "./form.ts";
