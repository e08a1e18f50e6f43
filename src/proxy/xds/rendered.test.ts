import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { createRenderer } from '../../control/render/render.ts'
import { modelFromYaml } from '../../control/render/testing/model-yaml.ts'
import { testAuthority } from '../../xds/testing/certificates.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import { decodeResource } from './decode.ts'

// The two planes are written apart; here they meet: what one renders, the other takes.
const folder = new URL('../../control/render/testdata/', import.meta.url)
const inputs = fs.readdirSync(folder).filter((name) => name.endsWith('.in.yaml'))
const types: readonly XdsType[] = ['LDS', 'RDS', 'CDS', 'EDS', 'SDS', 'NDS']

for (const input of inputs) {
  test(`everything that ${input} renders is taken`, async () => {
    const model = modelFromYaml(fs.readFileSync(new URL(input, folder), 'utf8'))
    // An Envoy has listeners of its own.
    const ours = [...model.workloads.values()].filter(({ proxy }) => proxy === undefined)
    const rendering = createRenderer().render(model, (await testAuthority()).caPem)
    let count = 0
    for (const workload of ours) {
      // A foreign proxy's set holds all that ours would ask for by name.
      for (const kind of ['weft', 'foreign'] as const) {
        const proxy = { workload, kind }
        for (const type of types) {
          for (const name of rendering.wildcard(type, proxy)) {
            const resource = rendering.resource(type, name, proxy)
            assert.ok(resource !== undefined, `${type} ${name} is named and not there`)
            const decoded = decodeResource(type, resource.message)
            assert.equal('problem' in decoded ? decoded.problem : '', '')
            if (kind === 'weft') assert.deepEqual('leftOut' in decoded && decoded.leftOut, [], 'nor is a part left out')
            count++
          }
        }
      }
    }
    assert.ok(count > 0 || ours.length === 0)
  })
}
test('there is something to check', () => assert.ok(inputs.length > 0))
