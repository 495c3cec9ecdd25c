/**
 * The live stream contexts of one instance by their number. Not a Map: a Map that items come to and go from
 * at every request makes itself anew again and again, and its old tables, once they are among the old
 * objects, keep every stream they ever named alive until the next whole collection. Here a stream has the
 * place its number says, and leaves it empty.
 */

/** Numbers start again behind those root contexts have, long before they would not fit 32 bits. */
const LAST_ID = 0x7fff_ffff, AGAIN_FROM = 1024;
const FIRST_PLACES = 64;

export class Contexts<Stream extends { readonly id: number }> {
  #places: (Stream | null)[] = new Array<Stream | null>(FIRST_PLACES).fill(null);
  #size = 0;
  #nextId: number;

  constructor(firstId = 1) {
    this.#nextId = firstId;
  }

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** A number no context has, and none had for a very long time; its place is free. */
  newId(): number {
    if (this.#size * 2 >= this.#places.length) this.#grow();
    const mask = this.#places.length - 1;
    let id = this.#nextId;
    while (this.#places[id & mask] !== null) id = following(id);
    this.#nextId = following(id);
    return id;
  }

  /** Adds one whose number {@link newId} just gave. */
  add(stream: Stream): void {
    this.#places[stream.id & (this.#places.length - 1)] = stream;
    this.#size++;
  }

  get(id: number): Stream | undefined {
    const found = this.#places[id & (this.#places.length - 1)]!;
    return found !== null && found.id === id ? found : undefined;
  }

  delete(id: number): void {
    if (this.get(id) === undefined) return;
    this.#places[id & (this.#places.length - 1)] = null;
    this.#size--;
  }

  /** In no particular order. */
  values(): Stream[] {
    return this.#places.filter((one) => one !== null);
  }

  clear(): void {
    this.#places.fill(null);
    this.#size = 0;
  }

  #grow(): void {
    const all = this.values();
    this.#places = new Array<Stream | null>(this.#places.length * 2).fill(null);
    for (const one of all) this.#places[one.id & (this.#places.length - 1)] = one;
  }
}

function following(id: number): number {
  return id >= LAST_ID ? AGAIN_FROM : id + 1;
}
