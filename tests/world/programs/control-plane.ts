// A control plane as `weft up` runs it, but with certificates that live for as many milliseconds as the last argument says:
//   node control-plane.ts DATA-DIR XDS API LEAF-TTL-MS
import fs from 'node:fs'
import { systemClock } from '../../../src/base/clock.ts'
import { textLog } from '../../../src/base/log.ts'
import { systemRandom } from '../../../src/base/random.ts'
import { startControlPlane } from '../../../src/control/control-plane.ts'

const [dataDir = '', xds = '', api = '', leafTtlMs = ''] = process.argv.slice(2)
fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 })
const controlPlane = await startControlPlane({
  dataDir,
  xds,
  api,
  leafTtlMs: Number(leafTtlMs),
  store: 'sqlite',
  files: [],
  version: 'test',
  log: textLog({
    part: 'up',
    level: 'info',
    write: (line) => void process.stderr.write(line),
    wallMs: () => systemClock.wallMs(),
  }),
  clock: systemClock,
  random: systemRandom,
})
process.on('SIGTERM', () => void controlPlane.stop())
