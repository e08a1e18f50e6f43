import { integer, mismatch, record, string, type Decoder } from '../../base/decode.ts'

/** RFC 1123 label: what namespaces, services and ports are called. */
export const label: Decoder<string> = string({
  form: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
  expected: 'a name of at most 63 lower-case letters, digits and "-", beginning and ending with a letter or digit',
})

/** RFC 1123 subdomain: labels joined by dots, what most resources are called. */
export const subdomain: Decoder<string> = string({
  form: /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  expected: 'a name of lower-case letters, digits, "-" and "."',
})

const labelValue = string({
  form: /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/,
  expected: 'a label value of at most 63 letters, digits, "-", "_" and "."',
})

/** Label keys and values as Kubernetes has them. */
export const labels: Decoder<Readonly<Record<string, string>>> = (value, path, issues) => {
  const decoded = record(labelValue)(value, path, issues)
  if (typeof decoded === 'symbol') return decoded
  const odd = Object.keys(decoded).find(
    (key) => !/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(key),
  )
  return odd === undefined ? decoded : mismatch(issues, path, 'label keys such as "app" or "example.com/app"', odd)
}

/** 1 to 65535. */
export const portNumber: Decoder<number> = integer({ min: 1, max: 65_535 })
