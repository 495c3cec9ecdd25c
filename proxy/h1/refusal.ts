/** The answer to a request that is refused before there is an exchange. */
import type { Fault } from "../../core/fault.ts";
import { statusLine } from "./status.ts";

/** A whole response: the status, the fault's code in `denim-fault`, one sentence (not to HEAD); then the connection ends. */
export function refusal(fault: Fault, toHead: boolean, date: (() => string) | null): string {
  const body = `${fault.detail} (${fault.code})\n`;
  return statusLine(fault.status) +
    "content-type: text/plain; charset=utf-8\r\n" +
    `denim-fault: ${fault.code}\r\n` +
    // RFC 6455 4.4: a client that hears which version is spoken may try again with it.
    (fault.status === 426 ? "upgrade: websocket\r\nsec-websocket-version: 13\r\n" : "") +
    `content-length: ${body.length}\r\n` +
    "connection: close\r\n" +
    (date === null ? "" : `date: ${date()}\r\n`) +
    `\r\n${toHead ? "" : body}`;
}
