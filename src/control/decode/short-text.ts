import { invalid, refine, string, type Decoder } from '../../base/decode.ts'

/** A text of 1 to 256 characters: a key, a value, a tag. */
export const shortText: Decoder<string> = refine(string(), (value, path, issues) => {
  if (value !== '' && value.length <= 256) return value
  issues.push({ path, message: 'expected 1 to 256 characters' })
  return invalid
})
