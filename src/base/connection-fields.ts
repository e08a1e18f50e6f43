/**
 * Fields that frame a message or belong to one connection: each hop writes its own, so nobody else may set them; two lengths of one
 * message would be two messages. Source: RFC 9110, section 7.6.1; RFC 9112, section 6.3.
 */
const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** `name` in any case. */
export const isConnectionField = (name: string): boolean => connectionFields.has(name.toLowerCase())
