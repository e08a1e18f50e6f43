import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { Certificates, Leaf } from './subject.ts'

function openssl(...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${error?.message ?? stderr}`)
}

/** An authority and two leaves, ECDSA P-256 as Weft's own, for the peers. */
export function makeCertificates(dir: string): Certificates {
  const file = (name: string): string => path.join(dir, name)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const root = ['-x509', ...newKey, '-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=bench-ca']
  openssl('req', ...root, '-days', '2')
  const leaf = (name: string): Leaf => {
    const spiffeId = `spiffe://bench.local/ns/default/sa/${name}`
    const [certificate, key, both, extensions] = [`${name}.pem`, `${name}.key`, `${name}.both.pem`, `${name}.ext`].map(
      file,
    )
    if (!certificate || !key || !both || !extensions) throw new Error('unreachable')
    openssl('req', ...newKey, '-keyout', key, '-out', file(`${name}.csr`), '-subj', `/CN=${name}`)
    fs.writeFileSync(extensions, `subjectAltName=URI:${spiffeId},DNS:${name}\nextendedKeyUsage=serverAuth,clientAuth\n`)
    const signed = [
      '-req',
      '-in',
      file(`${name}.csr`),
      '-CA',
      file('ca.pem'),
      '-CAkey',
      file('ca.key'),
      '-CAcreateserial',
    ]
    openssl('x509', ...signed, '-days', '2', '-extfile', extensions, '-out', certificate)
    fs.writeFileSync(both, fs.readFileSync(certificate, 'utf8') + fs.readFileSync(key, 'utf8'))
    return { certificate, key, both, spiffeId }
  }
  return { ca: file('ca.pem'), client: leaf('client'), server: leaf('server') }
}
