/** Of a built filter, before all else: functions that await are compiled to what uses the global `Promise`. */
import { FilterPromise } from "./promise.ts";

(globalThis as { Promise: unknown }).Promise = FilterPromise;
