/** The words in which references to what is not there are reported. */
import { nearest } from "../schema/problems.ts";

/** Why a route is not accepted or leads nowhere: reasons of conditions as the Gateway API has them. */
export type Reason =
  | "NoMatchingParent"
  | "NotAllowedByListeners"
  | "NoMatchingListenerHostname"
  | "UnsupportedValue"
  | "RefNotPermitted"
  | "BackendNotFound"
  | "InvalidKind";

/** Says what is wrong at a path of one resource, and for routes by which reason. */
export type Report = (path: string, message: string, reason?: Reason) => void;

export function missing(kind: string, name: string, known: Iterable<string>): string {
  return `names ${kind} "${name}", which does not exist and is not in this input` +
    suggestion(name, known);
}

export function noPort(service: string, port: number, ports: readonly number[]): string {
  return `is ${port}, which Service "${service}" does not have; it has ${ports.join(", ")}`;
}

export function suggestion(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return near === null ? "" : `; did you mean "${near}"?`;
}
