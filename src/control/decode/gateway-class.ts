import { object, optional, string, unsupported, type Decoder } from '../../base/decode.ts'

/** Gateway API GatewayClass: who serves Gateways of this class. */
export interface GatewayClassSpec {
  readonly controllerName: string
  readonly description?: string
}

export const gatewayClassSpec: Decoder<GatewayClassSpec> = object<GatewayClassSpec>(
  {
    controllerName: string({
      form: /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/,
      expected: 'a domain and a path, such as "weft.dev/gateway"',
    }),
    description: optional(string({ form: /^[\s\S]{0,64}$/, expected: 'at most 64 characters' })),
  },
  { parametersRef: unsupported('a class has no parameters here; remove it') },
)
