/** Where test data by others lies: beside the checkout, in `../shared/corpora`. */

const ROOT = new URL("../../../shared/corpora/", import.meta.url);

/** The folder of one corpus; null, after saying so, when it is not there. */
export function corpusFolder(name: string): string | null {
  const path = new URL(name, ROOT).pathname;
  try {
    Deno.statSync(path);
    return path;
  } catch {
    console.log(
      `skipped: the corpus "${name}" is not beside this checkout (../shared/corpora/${name})`,
    );
    return null;
  }
}
