/**
 * Node's `http` on first use. An `import` of it asks for all that it exports, and with that loads Node's WebSocket and fetch: 4 MB in every
 * sidecar and agent, measured as resident memory, Node 26.
 */
export const nodeHttp = (): typeof import('node:http') => process.getBuiltinModule('node:http')
