/** Refuses what came without mTLS, at a port that wants it on a listener that takes plaintext for others. */
import { CONTINUE, type Filter, type FilterContext, type Verdict } from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import { ConfigReader } from "../parse.ts";

/** Takes no configuration. */
export function createMtlsFilter(config: unknown): Filter {
  new ConfigReader("mtls", config).end();
  return new MtlsFilter();
}

class MtlsFilter implements Filter {
  onRequestHead(ctx: FilterContext): Verdict {
    return ctx.peer === "" ? ctx.fail(FAULTS["downstream.plaintext"]) : CONTINUE;
  }
}
