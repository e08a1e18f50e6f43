/** What the mesh claims of the Gateway API: data that decides which cases run, and what is adapted or left out on the way. */

/** Groups whose cases run; the others with the reason why not. */
export const groups: Readonly<Record<string, true | string>> = {
  'mesh-http': true,
  'mesh-grpc': true,
  'gateway-http': true,
  'gateway-grpc': true,
  'gateway-tls': true,
  'gateway-tcp': true,
  'gateway-udp': true,
}

/** Features of the Gateway API: claimed, or why not. A feature that is not here is not claimed. */
export const features: Readonly<Record<string, true | string>> = {
  Mesh: true,
  HTTPRoute: true,
  ReferenceGrant: true,
  MeshClusterIPMatching: true,
  MeshConsumerRoute: true,
  MeshHTTPRouteBackendRequestHeaderModification: true,
  MeshHTTPRouteNamedRouteRule: true,
  MeshHTTPRouteQueryParamMatching: true,
  MeshHTTPRouteRedirectPath: true,
  MeshHTTPRouteRedirectPort: true,
  MeshHTTPRouteRewritePath: true,
  MeshHTTPRouteSchemeRedirect: true,
  HTTPRoute303RedirectStatusCode: true,
  HTTPRoute307RedirectStatusCode: true,
  HTTPRoute308RedirectStatusCode: true,
  HTTPRouteParentRefPort: true,
  HTTPRouteResponseHeaderModification: true,
  GRPCRoute: true,
  GRPCRouteNamedRouteRule: true,
  GRPCRouteRequestHeaderModifier: true,
  Gateway: true,
  GatewayPort8080: true,
  GatewayHTTPListenerIsolation: true,
  GatewayHTTPSListenerDetectMisdirectedRequests: true,
  GatewayStaticAddresses: true,
  GatewayAddressEmpty: true,
  HTTPRouteDestinationPortMatching: true,
  HTTPRouteBackendRequestHeaderModification: true,
  HTTPRouteQueryParamMatching: true,
  HTTPRouteMethodMatching: true,
  HTTPRoutePortRedirect: true,
  HTTPRouteSchemeRedirect: true,
  HTTPRoutePathRedirect: true,
  HTTPRouteHostRewrite: true,
  HTTPRoutePathRewrite: true,
  HTTPRouteRequestMirror: true,
  HTTPRouteRequestMultipleMirrors: true,
  HTTPRouteRequestPercentageMirror: true,
  HTTPRouteRequestTimeout: true,
  HTTPRouteBackendTimeout: true,
  HTTPRouteBackendProtocolH2C: true,
  HTTPRouteBackendProtocolWebSocket: true,
  HTTPRouteNamedRouteRule: true,
  HTTPRouteCORS: true,
  HTTPRouteRetry: true,
  HTTPRouteRetryBackendTimeout: true,
  HTTPRouteRetryConnectionError: true,
  HTTPRouteBackendURLRewrite: true,
  HTTPRouteBackendRequestRedirect: true,
  GatewayInfrastructurePropagation: true,
  GatewayBackendClientCertificate: true,
  GatewayFrontendClientCertificateValidation: true,
  GatewayFrontendClientCertificateValidationInsecureFallback: true,
  ListenerSet: true,
  BackendTLSPolicy: true,
  BackendTLSPolicySANValidation: true,
  TLSRoute: true,
  TLSRouteModeTerminate: true,
  TLSRouteModeMixed: true,
  TCPRoute: true,
  UDPRoute: true,
}

/** Cases that do not apply although their features are claimed, each with the reason. */
export const leftOutCases: Readonly<Record<string, string>> = {}

/** Kinds of a case's manifests that the mesh has no use for; the runner does not apply them. */
export const leftOutKinds: Readonly<Record<string, string>> = {
  Deployment: 'the runner starts the workloads itself',
  Pod: 'the runner starts the workloads itself',
}

/** Why a case does not apply to this mesh; undefined: it does. */
export function notClaimed(
  name: string,
  group: string,
  needed: readonly string[],
  unless: readonly string[] = [],
): string | undefined {
  const whole = groups[group] ?? `the group ${group} is not known`
  if (whole !== true) return whole
  const left = leftOutCases[name]
  if (left !== undefined) return left
  for (const feature of needed) {
    const claim = features[feature] ?? 'not claimed'
    if (claim !== true) return `${feature}: ${claim}`
  }
  const claimed = unless.find((feature) => features[feature] === true)
  return claimed === undefined ? undefined : `is for those without ${claimed}`
}
