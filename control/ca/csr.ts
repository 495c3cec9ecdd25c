/** Reads a certificate signing request: takes its public key, after proof of possession, and nothing else. */

/** A request that was refused; `code` is stable, the message is for people. */
export class CsrError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "CsrError";
    this.code = code;
  }
}
