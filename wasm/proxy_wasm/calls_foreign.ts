/**
 * Functions particular to one proxy, by name: those of Envoy's that mean something here. All others are
 * "not found", which SDKs tell from a failure.
 */
import { STATUS } from "./abi.ts";
import { leave } from "./calls_property.ts";
import { latin1 } from "./memory.ts";
import { readFields } from "./protobuf.ts";
import type { Vm } from "./vm.ts";

type Foreign = (vm: Vm, args: Uint8Array) => number;

const FUNCTIONS: Readonly<Record<string, Foreign>> = {
  /** Routes are chosen before filters run: there is nothing to clear. */
  clear_route_cache: () => STATUS.ok,
  /** Gives a property a type and a span; here all are bytes and belong to the exchange. */
  declare_property: () => STATUS.ok,
  /** SetEnvoyFilterStateArguments{path = 1, value = 2, span = 3} */
  set_envoy_filter_state: (vm, args) => {
    const fields = readFields(args);
    const path = fields?.get(1), value = fields?.get(2);
    if (path === undefined) return STATUS.badArgument;
    return leave(vm, latin1(path), (value ?? new Uint8Array(0)).slice())
      ? STATUS.ok
      : STATUS.notFound;
  },
};

export function callForeignFunction(vm: Vm) {
  // deno-fmt-ignore
  return (name: number, nameSize: number, args: number, argsSize: number,
          outPointer: number, outSize: number): number => {
    const called = vm.memory.text(name, nameSize);
    const given = vm.memory.view(args, argsSize);
    if (called === null || given === null) return STATUS.invalidMemory;
    if (!Object.hasOwn(FUNCTIONS, called)) return STATUS.notFound;
    const status = FUNCTIONS[called]!(vm, given);
    if (status !== STATUS.ok || outPointer === 0 || outSize === 0) return status;
    return vm.memory.point(0, 0, outPointer, outSize);
  };
}
