/** What the gRPC protocol itself says of statuses, messages and timeouts. Source: gRPC over HTTP2 (PROTOCOL-HTTP2.md). */

/** The codes of `grpc-status` by name. */
export const grpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const

/** The codes of `grpc-status`, each name at its number. */
export const grpcStatusNames: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]

/** Those codes for a client that speaks HTTP only, in their order. */
const httpStatuses = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]

/** What a status of gRPC means as an HTTP status; 500 for what is no code. Source: google.rpc.Code; Envoy maps alike. */
export const httpStatusOfGrpc = (status: number): number => httpStatuses[status] ?? 500

/** What an answer with an HTTP status means to a gRPC client. Source: gRPC, "HTTP to gRPC Status Code Mapping"; Envoy maps alike. */
export function grpcStatusOfHttp(status: number): number {
  switch (status) {
    case 200:
      return grpcStatus.ok
    case 400:
      return grpcStatus.internal
    case 401:
      return grpcStatus.unauthenticated
    case 403:
      return grpcStatus.permissionDenied
    case 404:
      return grpcStatus.unimplemented
    case 429:
    case 502:
    case 503:
    case 504:
      return grpcStatus.unavailable
    default:
      return grpcStatus.unknown
  }
}

/** The value of `grpc-status`; what is no code of the protocol counts as `unknown`. */
export const readGrpcStatus = (text: string): number => (/^(\d|1[0-6])$/.test(text) ? Number(text) : grpcStatus.unknown)

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

/** The value of `grpc-timeout`, ms; undefined when it has not the form of one: a client that says so has said nothing. */
export function parseGrpcTimeout(text: string): number | undefined {
  const [, value, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? []
  const scale = unitMs[unit]
  return value === undefined || scale === undefined ? undefined : Number(value) * scale
}

/** The same for a header: whole ms, or s where those have more than 8 digits; never longer than `ms`. */
export function formatGrpcTimeout(ms: number): string {
  const whole = Math.floor(ms)
  return whole < 1e8 ? `${whole}m` : `${Math.min(99_999_999, Math.floor(whole / 1000))}S`
}

/** Text as it stands in `grpc-message`: UTF-8, what is not printable ASCII, and "%", by percent signs. */
export const formatGrpcMessage = (text: string): string =>
  Array.from(Buffer.from(text), (byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x25
      ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
      : String.fromCharCode(byte),
  ).join('')
