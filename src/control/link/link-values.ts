import type { NamedMatch } from '../decode/http-route.ts'
import type { ValueMatch } from '../model/model.ts'

/** What a header or a query parameter must say. */
export const linkValue = ({ name, type, value }: NamedMatch): ValueMatch => ({
  name,
  kind: type === 'Exact' ? 'exact' : 'regex',
  value,
})
