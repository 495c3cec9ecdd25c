/** The two message heads every codec reads and writes. */
import type { Fields } from "./fields.ts";

/**
 * A request as routes and filters see it, the same for every HTTP version.
 *
 * `authority` is lower-case `host[:port]` and replaces the Host field, which `fields` never holds.
 * `path` is the request target in origin form (`/a?b=c`) or `*`. Hop-by-hop fields are gone.
 * `content-length` stays in `fields` when the length is known; a filter that changes the length of
 * the body removes it and the codec frames the message anew.
 */
export interface RequestHead {
  method: string;
  scheme: string;
  authority: string;
  path: string;
  fields: Fields;
}

/** A response head; `status` 100–199 only in {@link Sink.info}. */
export interface ResponseHead {
  status: number;
  fields: Fields;
}
