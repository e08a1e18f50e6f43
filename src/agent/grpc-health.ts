// The two messages of grpc.health.v1, by hand: the helper inside of a namespace loads no message library for them. Source: grpc/health/v1/health.proto.

/** A HealthCheckRequest { service = 1 } as a gRPC message. `service` is at most 127 bytes long, as names of services are. */
export function healthCheckFrame(service: string): Buffer {
  const name = Buffer.from(service)
  const length = name.length === 0 ? 0 : 2 + name.length
  // Not compressed, length; field 1, length.
  const head = [0, 0, 0, length >> 8, length & 0xff, ...(length === 0 ? [] : [0x0a, name.length])]
  return Buffer.concat([Buffer.from(head), name])
}

const statuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const

/** The status of the HealthCheckResponse { status = 1 } in the bytes of a reply; "nothing" when there is none that can be read. */
export function healthStatusOf(bytes: Buffer): (typeof statuses)[number] | 'nothing' {
  if (bytes.length < 5 || bytes[0] !== 0 || bytes.length < 5 + bytes.readUInt32BE(1)) return 'nothing'
  // Absent is the first one.
  if (bytes.length === 5) return 'UNKNOWN'
  return bytes[5] === 0x08 ? (statuses[bytes[6] ?? -1] ?? 'nothing') : 'nothing'
}
