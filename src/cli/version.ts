/** Version of this build; "source" when run without one. The bundler puts the number in. */
export const version: string = process.env.WEFT_BUILD_VERSION ?? 'source'
