import type { Random } from '../../base/random.ts'

/**
 * Of `count` things the one whose next turn is due first; its turn after that comes 1/weight later, by its weight at that moment. A
 * binary heap over numbers, O(log n). First turns are random within their distance, so that a fleet of proxies does not start at the
 * same one. Weights are > 0.
 */
export function earliestDeadlineFirst(
  count: number,
  weightOf: (index: number) => number,
  random: Random,
): () => number {
  const heap = Int32Array.from({ length: count }, (_, index) => index)
  const due = Float64Array.from(heap, (index) => random.below(1 / weightOf(index)))
  const dueAt = (position: number): number => due[heap[position] ?? 0] ?? Infinity

  const sink = (from: number): void => {
    let position = from
    for (;;) {
      const left = 2 * position + 1
      if (left >= heap.length) return
      const child = left + 1 < heap.length && dueAt(left + 1) < dueAt(left) ? left + 1 : left
      if (dueAt(child) >= dueAt(position)) return
      const moved = heap[position] ?? 0
      heap[position] = heap[child] ?? 0
      heap[child] = moved
      position = child
    }
  }
  for (let position = heap.length >> 1; position >= 0; position--) sink(position)
  return () => {
    const index = heap[0] ?? 0
    due[index] = (due[index] ?? 0) + 1 / weightOf(index)
    sink(0)
    return index
  }
}
