/**
 * The certificate library's dependency container asks for three functions of the Reflect metadata proposal (which no engine has) when
 * it loads. This is the part it uses: a table per target. Imported before the library, once.
 */
type Metadata = Map<unknown, unknown>
const tables = new WeakMap<object, Metadata>()

const getMetadata = (key: unknown, target: object): unknown => tables.get(target)?.get(key)
function defineMetadata(key: unknown, value: unknown, target: object): void {
  const table = tables.get(target) ?? new Map()
  tables.set(target, table.set(key, value))
}

if (!('getMetadata' in Reflect)) Object.assign(Reflect, { getMetadata, getOwnMetadata: getMetadata, defineMetadata })
