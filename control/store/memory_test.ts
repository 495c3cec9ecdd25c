/** The memory store keeps every store's promises. */
import { MemoryStore } from "./memory.ts";
import { storeSuite } from "./suite.ts";

storeSuite("MemoryStore", () => Promise.resolve(new MemoryStore()));
