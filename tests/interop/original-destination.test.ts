import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { runToEnd } from '../world/child.ts'
import { requires } from '../world/requires.ts'

const weftScript = path.join(import.meta.dirname, '../../dist/weft.js')
const types = 'type.googleapis.com/envoy.extensions.filters'
const at = (address: string, port: number): object => ({ socket_address: { address, port_value: port } })

/** Chains are chosen by where connections were for, and calls go on to there; the port is another one, or they would be caught again. */
const bootstrap = {
  admin: { address: at('127.0.0.1', 9901) },
  static_resources: {
    listeners: [
      {
        name: 'caught',
        address: at('127.0.0.1', 15_001),
        listener_filters: [
          { name: 'original_dst', typed_config: { '@type': `${types}.listener.original_dst.v3.OriginalDst` } },
        ],
        filter_chains: [
          {
            filter_chain_match: {
              destination_port: 80,
              prefix_ranges: [{ address_prefix: '127.0.0.9', prefix_len: 32 }],
            },
            filters: [
              {
                name: 'tcp',
                typed_config: { '@type': `${types}.network.tcp_proxy.v3.TcpProxy`, stat_prefix: 'on', cluster: 'on' },
              },
            ],
          },
        ],
      },
    ],
    clusters: [
      {
        name: 'on',
        type: 'ORIGINAL_DST',
        lb_policy: 'CLUSTER_PROVIDED',
        original_dst_lb_config: { upstream_port_override: 8080 },
      },
    ],
  },
}

test('redirected connections go on to where they were going, chosen by it', async (t) => {
  if (!requires(t, 'linux', 'unshare', 'nft', 'ip', 'curl', 'python3')) return
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-original-'))
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }))
  const file = path.join(dir, 'bootstrap.json')
  fs.writeFileSync(file, JSON.stringify(bootstrap))
  fs.mkdirSync(path.join(dir, 'web'))
  fs.writeFileSync(path.join(dir, 'web/name'), 'from 127.0.0.9')
  // A network of its own, which goes with its last process.
  const script = `
    ip link set lo up
    nft add table ip t
    nft add chain ip t out '{ type nat hook output priority -100 ; }'
    nft add rule ip t out 'ip daddr { 127.0.0.8, 127.0.0.9 } tcp dport 80 redirect to :15001'
    python3 -m http.server --directory ${dir}/web --bind 127.0.0.9 8080 2>${dir}/web.log & web=$!
    ${process.execPath} ${weftScript} proxy -c ${file} 2>${dir}/proxy.log & proxy=$!
    curl -s --retry 50 --retry-delay 1 --retry-all-errors -o ${dir}/ready http://127.0.0.1:9901/ready
    curl -s --retry 20 --retry-delay 1 --retry-connrefused -o ${dir}/web-ready http://127.0.0.9:8080/name
    curl -s -m 10 http://127.0.0.9/name; echo " $?"
    curl -s -m 10 http://127.0.0.8/name; echo "other $?"
    curl -s -m 10 http://127.0.0.1:15001/name; echo "own $?"
    kill $proxy $web; wait`
  const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }
  const { out, err } = await runToEnd(['unshare', '-Urn', 'sh', '-c', script], { env, cwd: dir, withinMs: 60_000 })
  const log = fs.existsSync(path.join(dir, 'proxy.log')) ? fs.readFileSync(path.join(dir, 'proxy.log'), 'utf8') : ''
  const [passed, other, own] = out.trim().split('\n')
  assert.equal(passed, 'from 127.0.0.9 0', `${out}${err}${log}`)
  assert.match(other ?? '', /^other (52|56)$/, 'no chain is for that address')
  assert.match(own ?? '', /^own (52|56)$/, 'nor for the listener itself')
})
