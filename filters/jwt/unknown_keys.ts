/** Key sets in which a token's key was not found, until somebody asks: the control plane, which may fetch them anew. */
import type { VerifierEvents } from "./verifier.ts";

/** More than that wait for the next time: the tokens will come again. */
export const MAX_UNKNOWN = 64;

export class UnknownKeys implements VerifierEvents {
  readonly #sources = new Set<string>();

  unknownKey(source: string): void {
    if (this.#sources.size < MAX_UNKNOWN) this.#sources.add(source);
  }

  /** Those since the last call. */
  take(): readonly string[] {
    const sources = [...this.#sources];
    this.#sources.clear();
    return sources;
  }
}
