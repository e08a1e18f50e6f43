/**
 * What we accept of TLS, pinned so that a library's new default cannot widen it. No session is ever resumed: a resumed one skips
 * the certificate check, and an identity that has expired or was taken away would live on.
 */
export const tlsProfile: {
  readonly minVersion: 'TLSv1.2'
  readonly ciphers: string
  readonly ecdhCurve: string
} = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES256-GCM-SHA384',
  ].join(':'),
  ecdhCurve: 'X25519MLKEM768:X25519:P-256',
}
