import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import path from 'node:path'
import { createSecretFile, ensureSecretDirectory, readSecretFile } from './secret-file.ts'

/** What a sealed text turned out to be. */
export type Unsealed =
  | { readonly kind: 'claims'; readonly claims: unknown }
  /** Sealed with another key: another control plane, or one whose data directory was removed since. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'damaged' }

/** Texts that only the holder of the key can have written: nothing is stored per text. */
export interface Seal {
  /** `purpose` keeps texts apart that must not stand in for each other. */
  seal(purpose: string, claims: object): string
  unseal(purpose: string, text: string): Unsealed
}

const keyBytes = 32
const textLimit = 4096
const form = /^([A-Za-z0-9_-]+)\.([0-9a-f]{8})\.([A-Za-z0-9_-]{43})$/

/** The seal whose key is `dir/seal.key` (0600, made on first use). */
export function openSeal(dir: string): Seal | { readonly refused: string } {
  const file = path.join(dir, 'seal.key')
  ensureSecretDirectory(dir)
  if (readSecretFile(file).kind === 'absent') createSecretFile(file, `${randomBytes(keyBytes).toString('hex')}\n`)
  const read = readSecretFile(file)
  if (read.kind !== 'content') return { refused: `the key of join tokens: ${read.kind === 'absent' ? file : read.why}` }
  const key = Buffer.from(read.text.trim(), 'hex')
  if (key.length !== keyBytes) {
    return {
      refused: `the key of join tokens in ${file} is damaged; remove it to make a new one (older tokens then end)`,
    }
  }
  return sealWith(key)
}

/** The seal over a key of 32 bytes. */
export function sealWith(key: Buffer): Seal {
  const keyId = createHash('sha256').update(key).digest('hex').slice(0, 8)
  const mac = (purpose: string, body: string): Buffer =>
    createHmac('sha256', key).update(`${purpose}\n${body}`).digest()
  return {
    seal(purpose, claims) {
      const body = Buffer.from(JSON.stringify(claims)).toString('base64url')
      return `${body}.${keyId}.${mac(purpose, body).toString('base64url')}`
    },
    unseal(purpose, text) {
      const [, body, id, sum] = text.length > textLimit ? [] : (form.exec(text) ?? [])
      if (body === undefined || sum === undefined) return { kind: 'damaged' }
      if (id !== keyId) return { kind: 'foreign' }
      const given = Buffer.from(sum, 'base64url')
      const expected = mac(purpose, body)
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { kind: 'damaged' }
      return { kind: 'claims', claims: JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) }
    },
  }
}
