/** How many places a table starts with; a power of two. */
const firstPlaces = 8

/**
 * The open streams of a connection, by number. Not a `Map`: when many entries come and go, V8 often makes it a new table, and the old one
 * refers to it. Once an old table has outlived two collections of young objects, each that follows is taken for alive, and so is every
 * call whose stream it held: 2 KB a call were moved among the old objects, which cost half of a call's CPU time.
 *
 * Open addressing: at most half of the places are taken, and one that is left refers to nothing.
 */
export class StreamTable<T extends { readonly id: number }> {
  #places: (T | undefined)[] = empty(firstPlaces)
  #mask = firstPlaces - 1
  #size = 0

  get size(): number {
    return this.#size
  }

  has(id: number): boolean {
    return this.#places[this.#find(id)] !== undefined
  }

  get(id: number): T | undefined {
    return this.#places[this.#find(id)]
  }

  /** Takes in a stream whose number is not there yet. */
  add(stream: T): void {
    if (2 * this.#size > this.#mask) this.#grow()
    this.#places[this.#find(stream.id)] = stream
    this.#size++
  }

  /** Lets the stream go, and moves those behind it that would not be found past its place any more. */
  delete(id: number): void {
    const mask = this.#mask
    let free = this.#find(id)
    if (this.#places[free] === undefined) return
    this.#size--
    for (let at = (free + 1) & mask; ; at = (at + 1) & mask) {
      const next = this.#places[at]
      if (next === undefined) break
      const home = placeOf(next.id) & mask
      if (((at - home) & mask) < ((at - free) & mask)) continue
      this.#places[free] = next
      free = at
    }
    this.#places[free] = undefined
  }

  clear(): void {
    this.#places = empty(firstPlaces)
    this.#mask = firstPlaces - 1
    this.#size = 0
  }

  /** Those that are open now: streams may come and go while the list is read. */
  all(): T[] {
    return this.#places.filter((stream) => stream !== undefined)
  }

  /** The place of the stream, or the free one where it would be. */
  #find(id: number): number {
    const places = this.#places
    let at = placeOf(id) & this.#mask
    for (;;) {
      const stream = places[at]
      if (stream === undefined || stream.id === id) return at
      at = (at + 1) & this.#mask
    }
  }

  #grow(): void {
    const streams = this.all()
    this.#places = empty(2 * this.#places.length)
    this.#mask = this.#places.length - 1
    for (const stream of streams) this.#places[this.#find(stream.id)] = stream
  }
}

/** One side opens either the odd or the even numbers, one after the other: those stand side by side. Source: RFC 9113, section 5.1.1. */
const placeOf = (id: number): number => id >>> 1

function empty<T>(places: number): (T | undefined)[] {
  return Array.from({ length: places }, () => undefined)
}
