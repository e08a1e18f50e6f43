import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Document, isCollection, visit } from 'yaml'
import { formatProblem } from '../../base/problem.ts'
import { golden } from '../../base/testing/golden.ts'
import { link } from './link.ts'
import { snapshotFromYaml } from './testing/snapshot-from-yaml.ts'

/** Maps as objects; what fits a line is on one line; what is undefined is left out by YAML. */
function linkYaml(text: string): string {
  const { value, problems } = link(snapshotFromYaml(text), { trustDomain: 'weft.local' })
  const { services, workloads, gateways, certificates, virtualIps, mesh } = value
  // Others follow from the snapshot.
  const ofInstances = Array.from(virtualIps).filter(([name]) => name.includes('.'))
  const shown = {
    services: Object.fromEntries(services),
    workloads: Object.fromEntries(workloads),
    ...(gateways.size > 0 && { gateways: Object.fromEntries(gateways) }),
    ...(certificates.size > 0 && { certificates: Array.from(certificates.keys()) }),
    ...(ofInstances.length > 0 && { virtualIps: Object.fromEntries(ofInstances) }),
    mesh,
    problems: problems.map(formatProblem),
  }
  const document = new Document(shown, { aliasDuplicateObjects: false })
  visit(document, {
    Collection(_key, node) {
      if (isCollection(node)) node.flow = JSON.stringify(node).length < 100
    },
  })
  return document.toString({ lineWidth: 0 })
}

golden(new URL('testdata/', import.meta.url), linkYaml)

test('the same snapshot gives the same model', () => {
  const text = 'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}'
  assert.equal(linkYaml(text), linkYaml(text))
})
