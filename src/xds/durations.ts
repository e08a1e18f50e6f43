/** Milliseconds, fractions too, as a protobuf Duration. */
export const durationOf = (ms: number): { readonly seconds: bigint; readonly nanos: number } => {
  const seconds = Math.floor(ms / 1000)
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) % 1_000_000_000 }
}

/** The opposite. */
export const durationMsOf = ({ seconds, nanos }: { readonly seconds: bigint; readonly nanos: number }): number =>
  Number(seconds) * 1000 + nanos / 1e6
