/** Identities as people write them. */
import { formatWorkloadId } from "../../proxy/tls/mod.ts";
import { ApiError } from "./errors.ts";

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** The SPIFFE id for `namespace/name` or a whole id; throws ApiError, with what else `path` could be at its end. */
export function workloadId(path: string, text: string, trustDomain: string, or = ""): string {
  const whole = new RegExp(
    `^spiffe://${trustDomain.replaceAll(".", "\\.")}/ns/([^/]+)/sa/([^/]+)$`,
  );
  const parts = whole.exec(text) ?? /^([^/]+)\/([^/]+)$/.exec(text);
  const namespace = parts?.[1] ?? "", service = parts?.[2] ?? "";
  if (LABEL.test(namespace) && NAME.test(service)) {
    return formatWorkloadId({ trustDomain, namespace, service });
  }
  const problem = `is "${text}"; wanted namespace/name such as "default/web"${or}`;
  throw new ApiError(400, "bad_request", `${path} ${problem}`, [{ path, message: problem }]);
}
