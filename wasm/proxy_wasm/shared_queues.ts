/**
 * Queues between plugins of one namespace, and between the instances of one plugin over time. What is in
 * them outlives their owners; whoever registered a queue last is told of what is put into it.
 */
import { WASM_LIMITS } from "../limits.ts";
import { STATUS } from "./abi.ts";

export interface QueueOwner {
  /** There is something to take out of the queue; not said from within a call into any guest. */
  queueReady(id: number): void;
}

interface Queue {
  readonly items: Uint8Array[];
  owner: QueueOwner | null;
}

export class SharedQueues {
  readonly #ids = new Map<string, number>();
  readonly #queues: Queue[] = [];
  #bytes = 0;

  /** The queue's number, from 1; 0: there are too many, or the name is too long. */
  register(scope: string, name: string): number {
    const key = keyOf(scope, name);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    if (name.length > WASM_LIMITS.queueNameChars) return 0;
    if (this.#queues.length >= WASM_LIMITS.queues) return 0;
    const id = this.#queues.push({ items: [], owner: null });
    this.#ids.set(key, id);
    return id;
  }

  /** 0: there is none of that name. */
  resolve(scope: string, name: string): number {
    return this.#ids.get(keyOf(scope, name)) ?? 0;
  }

  enqueue(id: number, bytes: Uint8Array): number {
    const queue = this.#queues[id - 1];
    if (queue === undefined) return STATUS.notFound;
    if (queue.items.length >= WASM_LIMITS.queueItems) return STATUS.internalFailure;
    if (this.#bytes + bytes.length > WASM_LIMITS.queueBytes) return STATUS.internalFailure;
    queue.items.push(bytes);
    this.#bytes += bytes.length;
    return STATUS.ok;
  }

  /** Tells whoever listens. */
  ring(id: number): void {
    this.#queues[id - 1]?.owner?.queueReady(id);
  }

  /** The oldest item, or why there is none. */
  dequeue(id: number): Uint8Array | number {
    const queue = this.#queues[id - 1];
    if (queue === undefined) return STATUS.notFound;
    const first = queue.items.shift();
    if (first === undefined) return STATUS.empty;
    this.#bytes -= first.length;
    return first;
  }

  /** From now on `owner` is told, and who was told before is not. */
  listen(id: number, owner: QueueOwner): void {
    const queue = this.#queues[id - 1];
    if (queue !== undefined) queue.owner = owner;
  }

  /** Listens no more. */
  leave(owner: QueueOwner): void {
    for (const queue of this.#queues) if (queue.owner === owner) queue.owner = null;
  }
}

function keyOf(scope: string, name: string): string {
  return `${scope}\0${name}`;
}
