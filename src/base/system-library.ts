/**
 * Node's own door to libraries of the system, for the few calls of libc that Node has none for. Undefined: this Node has no such door, or
 * closed it. Loaded when it is first needed: it costs 2 ms and 1 MB.
 */
export function systemLibrary(): typeof import('node:ffi') | undefined {
  // That it is new Node says once in each process, on standard error, where our users read. What we call is covered by tests.
  const emitWarning = process.emitWarning.bind(process)
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:ffi')
  } catch {
    return undefined
  } finally {
    process.emitWarning = emitWarning
  }
}
