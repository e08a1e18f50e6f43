/** Each part is in `bytes`, behind the one before; other bytes may lie between. Source: Envoy HealthCheck.Payload, "fuzzy". */
export function foundInOrder(bytes: Buffer, parts: readonly Buffer[]): boolean {
  let from = 0
  for (const part of parts) {
    const at = bytes.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return true
}
