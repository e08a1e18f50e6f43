import fs from 'node:fs'
import { descendants } from '../process-table.ts'
import { demoFiles } from '../programs.ts'
import { getJson, httpGet } from '../http-get.ts'
import { allOf, type Check } from './verdict.ts'

/** Every service has a sidecar process of its own, and was not changed for it. */
export const deployment: Check = {
  title: 'deployment',
  async verify(world) {
    const instances = world.instances()
    const found = await Promise.all(
      instances.map(async ({ port, admin, child }) => {
        const stats = await getJson(`http://127.0.0.1:${port}/stats`)
        const ready = await httpGet(`${admin}/ready`)
        return { answers: stats !== undefined, ready: ready.status === 200, below: descendants(child.pid).length }
      }),
    )
    const sidecars = found.filter(({ ready }) => ready).length
    const alone = found.filter(({ below }) => below < 2).length
    const mentions = (fs.readFileSync(demoFiles().service, 'utf8').match(/weft|spiffe|x-forwarded/gi) ?? []).length
    return allOf([
      [found.every(({ answers }) => answers), `${instances.length} programs answer`],
      [sidecars === instances.length, `${sidecars} sidecars are ready`],
      [alone === 0, 'each program, its agent and its sidecar are processes of their own'],
      [mentions === 0, `the program's code names Weft ${mentions} times`],
    ])
  },
}
