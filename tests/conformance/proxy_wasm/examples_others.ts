/** What the examples of the AssemblyScript SDKs do, by their READMEs, and of the C++ SDK, by its source. */
import assert from "node:assert/strict";
import { CONTINUE } from "../../../core/filter.ts";
import type { Example } from "./rig.ts";

/** Both READMEs show the same filter. */
export const ASSEMBLYSCRIPT: readonly Example[] = [
  {
    name: "add_header",
    shows: "a response header",
    settings: { rootId: "add_header" },
    run: (rig) => {
      const call = rig.exchange();
      call.responseHead(true);
      assert.equal(call.response!.fields.get("hello"), "world!");
    },
  },
  {
    name: "add_header",
    shows: "its configuration in a response header",
    settings: { rootId: "add_header", config: "what ever you want" },
    run: (rig) => {
      const call = rig.exchange();
      call.responseHead(true);
      assert.equal(call.response!.fields.get("hello"), "what ever you want");
    },
  },
];

export const CPP: readonly Example[] = [
  {
    name: "http",
    shows: "ABI 0.1.0 and WASI's old name: all headers, logged",
    run: (rig) => {
      const call = rig.exchange();
      assert.equal(call.requestHead(), CONTINUE);
      const said = rig.said().join("\n");
      assert.match(said, /print from wasm, onRequestHeaders, context id: \d+/);
      assert.match(said, /print from wasm, :path -> \/a\?b=c/);
      assert.match(said, /print from wasm, user-agent -> test/);
    },
  },
];
