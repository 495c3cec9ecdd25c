/** Host calls on shared queues. */
import { WASM_LIMITS } from "../limits.ts";
import { QUOTA } from "../quota.ts";
import { STATUS } from "./abi.ts";
import type { SharedQueues } from "./shared_queues.ts";
import type { Effect, Vm } from "./vm.ts";

/** Something is in a queue: its owner is told when the call that put it there is over. */
class Ring implements Effect {
  readonly #queues: SharedQueues;
  readonly #id: number;
  constructor(queues: SharedQueues, id: number) {
    this.#queues = queues;
    this.#id = id;
  }
  run(): void {
    this.#queues.ring(this.#id);
  }
}

/** An instance that is only being tried must not take the queue from the one that serves. */
class Listen implements Effect {
  readonly #vm: Vm;
  readonly #id: number;
  constructor(vm: Vm, id: number) {
    this.#vm = vm;
    this.#id = id;
  }
  run(): void {
    const { host } = this.#vm;
    host.queues.listen(this.#id, host);
  }
}

/** A plugin without a vm_id has its queues to itself. */
function ownScope(vm: Vm): string {
  return vm.host.vmId === "" ? `(${vm.host.name})` : vm.host.vmId;
}

export function register(vm: Vm) {
  return (pointer: number, size: number, outId: number): number => {
    const name = vm.memory.text(pointer, size);
    if (name === null) return STATUS.invalidMemory;
    const id = vm.host.queues.register(ownScope(vm), name);
    if (id === 0) return STATUS.internalFailure;
    vm.hasQueue = true;
    vm.effects.push(new Listen(vm, id));
    return vm.memory.setU32(outId, id) ? STATUS.ok : STATUS.invalidMemory;
  };
}

export function resolve(vm: Vm) {
  return (vmId: number, vmIdSize: number, pointer: number, size: number, outId: number): number => {
    const scope = vm.memory.text(vmId, vmIdSize);
    const name = vm.memory.text(pointer, size);
    if (scope === null || name === null) return STATUS.invalidMemory;
    const id = vm.host.queues.resolve(scope === "" ? ownScope(vm) : scope, name);
    if (id === 0) return STATUS.notFound;
    return vm.memory.setU32(outId, id) ? STATUS.ok : STATUS.invalidMemory;
  };
}

export function enqueue(vm: Vm) {
  return (id: number, pointer: number, size: number): number => {
    const { queues } = vm.host;
    if (size >>> 0 > WASM_LIMITS.queueBytes) return STATUS.internalFailure;
    const bytes = vm.memory.copy(pointer, size);
    if (bytes === null) return STATUS.invalidMemory;
    if (!vm.may(QUOTA.shared)) return STATUS.internalFailure;
    const status = queues.enqueue(id >>> 0, bytes);
    if (status === STATUS.ok) vm.effects.push(new Ring(queues, id >>> 0));
    return status;
  };
}

export function dequeue(vm: Vm) {
  return (id: number, outPointer: number, outSize: number): number => {
    const found = vm.host.queues.dequeue(id >>> 0);
    return typeof found === "number" ? found : vm.memory.give(found, outPointer, outSize);
  };
}
