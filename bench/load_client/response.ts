/** Enough of HTTP/1.1 to know when a response is complete: the status and `Content-Length`. */

const HEAD_END = new TextEncoder().encode("\r\n\r\n");
const latin1 = new TextDecoder("latin1");

export interface ResponseSize {
  readonly status: number;
  /** Of head and body together. */
  readonly bytes: number;
}

/** Null while the head is not complete. Throws when the response has no `Content-Length`. */
export function responseSize(bytes: Uint8Array): ResponseSize | null {
  const end = headEnd(bytes);
  if (end < 0) return null;
  const head = latin1.decode(bytes.subarray(0, end));
  const length = /\r\ncontent-length:[ \t]*(\d+)/i.exec(head);
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head);
  if (length === null || status === null) {
    throw new Error(`This load client reads responses with a Content-Length only, not: ${head}`);
  }
  return { status: Number(status[1]), bytes: end + Number(length[1]) };
}

function headEnd(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(13); at >= 0; at = bytes.indexOf(13, at + 1)) {
    if (at + 4 > bytes.length) return -1;
    if (HEAD_END.every((byte, index) => bytes[at + index] === byte)) return at + 4;
  }
  return -1;
}
