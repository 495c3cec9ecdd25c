/** Identities as people write them. */
import { formatWorkloadId } from "../../proxy/tls/mod.ts";
import { isWorkloadName } from "../ca/workload_name.ts";
import { badValue } from "./errors.ts";

/** The SPIFFE id for `namespace/name` or a whole id; throws ApiError, with what else `path` could be at its end. */
export function workloadId(path: string, text: string, trustDomain: string, or = ""): string {
  const whole = new RegExp(
    `^spiffe://${trustDomain.replaceAll(".", "\\.")}/ns/([^/]+)/sa/([^/]+)$`,
  );
  const parts = whole.exec(text) ?? /^([^/]+)\/([^/]+)$/.exec(text);
  const namespace = parts?.[1] ?? "", service = parts?.[2] ?? "";
  if (isWorkloadName(namespace, service)) {
    return formatWorkloadId({ trustDomain, namespace, service });
  }
  throw badValue(path, `is "${text}"; wanted namespace/name such as "default/web"${or}`);
}
