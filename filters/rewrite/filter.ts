/** Changes host and path before the request goes on: HTTPRoute's URLRewrite. */
import {
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type Verdict,
} from "../../core/filter.ts";
import type { RequestHead } from "../../core/message.ts";
import { changePath, type PathConfig } from "../path.ts";
import { parseRewriteConfig, type RewriteConfig } from "./config.ts";

export function createRewriteFilter(config: unknown, _env: FilterEnv): Filter {
  return new RewriteFilter(parseRewriteConfig(config));
}

class RewriteFilter implements Filter {
  readonly #authority: string | null;
  readonly #path: PathConfig | null;

  constructor(config: RewriteConfig) {
    this.#authority = config.hostname?.toLowerCase() ?? null;
    this.#path = config.path ?? null;
  }

  onRequestHead(_ctx: FilterContext, head: RequestHead): Verdict {
    if (this.#authority !== null) head.authority = this.#authority;
    if (this.#path !== null) head.path = changePath(head.path, this.#path);
    return CONTINUE;
  }
}
