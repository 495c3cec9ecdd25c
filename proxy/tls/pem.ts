/** PEM armour (RFC 7468), read strictly: one label, no headers, no text between the blocks. */

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END \1-----/g;

/** The blocks of `text`, in order; null when there is none, another label or anything else in it. */
export function decodePem(text: string, label: string): Uint8Array[] | null {
  const blocks: Uint8Array[] = [];
  let strange = false;
  const rest = text.replace(BLOCK, (_, found: string, body: string) => {
    const bytes = found === label ? fromBase64(body.replace(/[\r\n]/g, "")) : null;
    if (bytes === null) strange = true;
    else blocks.push(bytes);
    return "";
  });
  return strange || blocks.length === 0 || rest.trim() !== "" ? null : blocks;
}

export function encodePem(der: Uint8Array, label: string): string {
  const body = der.toBase64().replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`;
}

function fromBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return null; // not base64
  }
}
