/** One method of a service: where it is and how its messages are written. */
export interface GrpcMethod<I, O> {
  /** "/weft.agent.v1.AgentService/Join". */
  readonly path: string
  encode(message: I): Uint8Array
  /** Throws on bytes that are no such message. */
  decode(bytes: Uint8Array): O
}

/** How a call ended. Source: gRPC, "Status codes and their use". */
export interface GrpcStatus {
  /** 0: OK. */
  readonly code: number
  readonly message: string
}

/** The sending side of a call. */
export interface GrpcCall<I> {
  /** False: the peer reads slowly, what is sent queues up here. Ignored once the call is over. */
  send(message: I): boolean
  /** Nothing more will be sent. */
  end(): void
  /** The call ends with CANCELLED. */
  cancel(): void
}

/** The receiving side. */
export interface GrpcHandlers<O> {
  message(message: O): void
  end(status: GrpcStatus): void
}

export interface GrpcOptions {
  readonly metadata?: Readonly<Record<string, string>>
  /** The whole call; absent: no limit. */
  readonly timeoutMs?: number
}

/** The codes that we tell apart. */
export const grpcCodes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const
