import { frame } from '../../xds/grpc-frames.ts'

/** An export of spans as gRPC carries it. */
export const frameExport = (message: Buffer): Buffer => frame(message)
