/** An upload as a multipart form, both ways: members `module` (file), `manifest`, `statement`, `signature`. */
import { MarketError, type Push } from "./types.ts";

/** The body of `POST /api/v1/filters`. */
export function pushToForm(push: Push): FormData {
  const form = new FormData();
  form.set("module", new Blob([push.bytes as Uint8Array<ArrayBuffer>]), "module");
  // As files: a form's text members get CRLF line ends on the way, and these texts are signed byte for byte.
  form.set("manifest", new Blob([push.manifest]), "denim.filter.yaml");
  form.set("statement", new Blob([push.statement]), "statement.json");
  form.set("signature", push.signature);
  return form;
}

/** Reads that body back; throws {@link MarketError} that names the missing member. */
export async function pushFromForm(form: FormData): Promise<Push> {
  const module = form.get("module");
  if (!(module instanceof File)) throw missing("module", "a file: the Wasm module or WAT text");
  const text = async (name: string, wanted: string): Promise<string> => {
    const value = form.get(name);
    if (value === null) throw missing(name, wanted);
    return typeof value === "string" ? value : await value.text();
  };
  return {
    bytes: new Uint8Array(await module.arrayBuffer()),
    manifest: await text("manifest", "the text of denim.filter.yaml"),
    statement: await text("statement", "the JSON text that was signed"),
    signature: typeof form.get("signature") === "string" ? String(form.get("signature")) : "",
  };
}

function missing(name: string, wanted: string): MarketError {
  const message = `The upload has no "${name}"; wanted ${wanted}`;
  return new MarketError("market.incomplete", 400, message, [{ path: name, message }]);
}
