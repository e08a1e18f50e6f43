// Loaded into each test process: what V8 compiled of the sources is kept, since hundreds of test files load the same ones.
// Not by NODE_COMPILE_CACHE, which the `weft` processes of the tests would inherit: they start as a user's do.
import module from 'node:module'
import path from 'node:path'

module.enableCompileCache(path.join(import.meta.dirname, '../node_modules/.cache/compiled-tests'))
