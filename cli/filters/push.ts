/** Build, sign, upload: what `denim filter push` does and the local mesh does for its examples. */
import {
  buildFilter,
  type BuiltFilter,
  type Listing,
  pushToForm,
  signStatement,
} from "../../control/market/mod.ts";
import { openKey } from "./keys.ts";

/** Where the control plane is, and the admin token that lets one change something there. */
export interface ControlAccess {
  readonly url: string;
  readonly token: string;
}

export interface PushOptions {
  readonly keyDir?: string;
  readonly cacheDir?: string;
}

export interface Pushed {
  readonly listing: Listing;
  readonly built: BuiltFilter;
  /** Path of a publisher key that was made for this push; null when there was one. */
  readonly newKey: string | null;
}

/** An answer that is no success, in the control plane's own words. */
export class PushError extends Error {
  override name = "PushError";
  readonly code: string;
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Pushes the filter in `path`; the same version twice is no error. */
export async function pushFilter(
  path: string,
  access: ControlAccess,
  options: PushOptions = {},
): Promise<Pushed> {
  const built = await buildFilter(
    path,
    options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir },
  );
  const { name, version } = built.manifest;
  const publisher = name.split("/")[0]!;
  const { key, path: keyPath, created } = await openKey(publisher, options.keyDir);
  await call(access, "publishers", {
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: publisher, publicKey: key.publicKey }),
  });
  const { bytes, manifestText: manifest } = built;
  const signed = await signStatement(key, { name, version, bytes, manifest });
  const form = pushToForm({ bytes, manifest, ...signed });
  const listing = await call(access, "filters", { body: form }) as Listing;
  return { listing, built, newKey: created ? keyPath : null };
}

async function call(access: ControlAccess, path: string, init: RequestInit): Promise<unknown> {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${access.token}`);
  let response: Response;
  try {
    response = await fetch(`${access.url}/api/v1/${path}`, {
      method: "POST",
      ...init,
      headers,
      signal: AbortSignal.timeout(120_000),
    });
  } catch (error) {
    throw new PushError(
      0,
      "unreachable",
      `The control plane at ${access.url} does not answer (${(error as Error).message}); ` +
        "is it running, and is --control right",
    );
  }
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  throw refusal(response.status, text);
}

function refusal(status: number, text: string): PushError {
  try {
    const { error } = JSON.parse(text) as {
      error: { code: string; message: string; details?: { path: string; message: string }[] };
    };
    const details = (error.details ?? [])
      .filter((one) => !error.message.includes(one.message))
      .map((one) => `\n  ${one.path}: ${one.message}`);
    return new PushError(status, error.code, `${error.message}${details.join("")}`);
  } catch {
    return new PushError(
      status,
      "unknown",
      `The control plane answered ${status}: ${text.slice(0, 300)}`,
    );
  }
}
