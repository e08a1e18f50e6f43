import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import type { GenService, GenServiceMethods } from '@bufbuild/protobuf/codegenv2'
import {
  status,
  type handleBidiStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
  type ServerDuplexStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'

/** Who calls, as far as it is proven. */
export interface Caller {
  /** From a client certificate that the trust bundle vouches for; absent: none was shown. */
  readonly spiffeId?: string
  /** Came through the Unix socket: the user who runs the control plane, trusted with any identity. */
  readonly local: boolean
  /** Ends the whole connection at once, whatever is queued; for a client that does not read. No-op on the Unix socket. */
  disconnect(): void
}

/** An expected failure of a call: a gRPC status and one sentence for the person at the other end. */
export interface Refusal {
  readonly code: status
  readonly details: string
}

/** Resolves to the answer or a refusal. A rejection is a bug: the caller gets INTERNAL, the log the error. */
export type UnaryHandler<Input, Output> = (request: Input, caller: Caller) => Promise<Output | Refusal>
/** The stream has an 'error' listener already. End it with `call.end()`, or `refuse(call, refusal)`. */
export type DuplexHandler<Input, Output> = (call: ServerDuplexStream<Input, Output>, caller: Caller) => void

/** One handler per method that is unary or bidirectional, by the method's name in lower camel case. */
export type Handlers<Methods extends GenServiceMethods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends {
    methodKind: 'unary'
    input: infer Input extends DescMessage
    output: infer Output extends DescMessage
  }
    ? UnaryHandler<MessageShape<Input>, MessageShape<Output>>
    : Methods[Name] extends { input: infer Input extends DescMessage; output: infer Output extends DescMessage }
      ? DuplexHandler<MessageShape<Input>, MessageShape<Output>>
      : never
}

/** A service that an endpoint can host. */
export interface HostedService {
  readonly definition: ServiceDefinition
  /** Binds the handlers to a way of telling the caller; a call whose caller is unknown (its connection is gone) is refused. */
  implement(
    callerOf: (call: { getPeer(): string }) => Caller | undefined,
    onBug: (error: unknown) => void,
  ): UntypedServiceImplementation
}

/** A generated service with its handlers. */
export function hostedService<Methods extends GenServiceMethods>(
  service: GenService<Methods>,
  handlers: Handlers<Methods>,
): HostedService {
  const definition: Record<string, MethodDefinition<unknown, unknown>> = {}
  for (const method of service.methods) {
    definition[method.localName] = {
      path: `/${service.typeName}/${method.name}`,
      requestStream: method.methodKind !== 'unary',
      responseStream: method.methodKind !== 'unary',
      ...codec(method.input, 'request'),
      ...codec(method.output, 'response'),
    }
  }
  return {
    definition,
    implement(callerOf, onBug) {
      const implementation: UntypedServiceImplementation = {}
      for (const method of service.methods) {
        // The mapped type above says which handler belongs to which method; by name it is only known to be one of the two.
        const handler: unknown = handlers[method.localName as keyof Methods]
        implementation[method.localName] =
          method.methodKind === 'unary'
            ? unary(handler as UnaryHandler<unknown, unknown>, callerOf, onBug)
            : duplex(handler as DuplexHandler<unknown, unknown>, callerOf)
      }
      return implementation
    },
  }
}

/** Ends a stream with a status other than OK. */
export function refuse(call: NodeJS.EventEmitter, { code, details }: Refusal): void {
  // How grpc-js ends a server stream with a status: an 'error' event whose value has `code` and `details`.
  call.emit('error', { code, details })
}

const goneCaller: Refusal = { code: status.UNAUTHENTICATED, details: 'the connection of this call is gone' }

const unary =
  (
    handler: UnaryHandler<unknown, unknown>,
    callerOf: (call: { getPeer(): string }) => Caller | undefined,
    onBug: (error: unknown) => void,
  ): handleUnaryCall<unknown, unknown> =>
  (call, answer) => {
    const caller = callerOf(call)
    if (caller === undefined) return answer(goneCaller)
    handler(call.request, caller).then(
      (reply) => (isRefusal(reply) ? answer(reply) : answer(null, reply)),
      (error: unknown) => {
        onBug(error)
        answer({ code: status.INTERNAL, details: 'internal error; the log of the control plane has it' })
      },
    )
  }

const duplex =
  (
    handler: DuplexHandler<unknown, unknown>,
    callerOf: (call: { getPeer(): string }) => Caller | undefined,
  ): handleBidiStreamingCall<unknown, unknown> =>
  (call, ..._rest) => {
    call.on('error', () => {})
    const caller = callerOf(call)
    if (caller === undefined) call.emit('error', goneCaller)
    else handler(call, caller)
  }

const isRefusal = (reply: unknown): reply is Refusal =>
  typeof reply === 'object' && reply !== null && 'code' in reply && 'details' in reply && !('$typeName' in reply)

function codec(
  schema: DescMessage,
  side: 'request' | 'response',
): {
  readonly [Key in 'requestSerialize' | 'responseSerialize']: (value: unknown) => Buffer
} & { readonly [Key in 'requestDeserialize' | 'responseDeserialize']: (bytes: Buffer) => unknown } {
  const serialize = (value: unknown): Buffer => {
    const bytes = toBinary(schema, value as MessageShape<DescMessage>)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  const deserialize = (bytes: Buffer): unknown => fromBinary(schema, bytes)
  // Only the keys of this side; the other side's come from the other call.
  return {
    [`${side}Serialize`]: serialize,
    [`${side}Deserialize`]: deserialize,
  } as ReturnType<typeof codec>
}
