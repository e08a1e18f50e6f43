import { isCertificate } from './key-pair.ts'

const blocks = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** The certificates in a text (PEM), one by one, whatever stands around them; unread. */
export const certificateBlocks = (text: string): readonly string[] => text.match(blocks) ?? []

/** The certificates in a text (PEM), whatever stands around them; or which one cannot be read (from 1), or that there is none. */
export function pemCertificates(text: string): { readonly pem: string } | { readonly problem: 'none' | number } {
  const found = certificateBlocks(text)
  if (found.length === 0) return { problem: 'none' }
  const broken = found.findIndex((pem) => !isCertificate(pem))
  return broken === -1 ? { pem: `${found.join('\n')}\n` } : { problem: broken + 1 }
}
