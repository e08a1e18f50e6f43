/** Services of the versions v1 and v2 of a cart, as documents that others may follow. */
export const cartVersions: string = ['v1', 'v2']
  .map(
    (version) => `
apiVersion: v1
kind: Service
metadata: { name: cart-${version} }
spec: { selector: { app: cart, version: ${version} }, ports: [{ name: http, port: 80 }] }
---`,
  )
  .join('')
