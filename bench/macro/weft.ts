import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { findProgram } from './command.ts'
import { backendConfiguration, findNginx } from './nginx.ts'
import { answers, childrenOf, freePort, start, until, type Running } from './process.ts'
import { host, type Shape, type Started, type Subject } from './subject.ts'

const root = path.dirname(path.dirname(import.meta.dirname))
/** The built command. */
export const script: string = path.join(root, 'dist/weft.js')

/** The same hosts and paths as the peers have; with mTLS the callee lets one identity in, as they do. */
const resources = ({ mtls, backendPort }: Shape): string => `
${
  mtls
    ? ''
    : `apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: { name: ${host}-1, labels: { app: ${host} } }
spec: { service: ${host}, address: 127.0.0.1, ports: [{ name: http, servicePort: 80, targetPort: ${backendPort}, protocol: http }] }
---`
}
apiVersion: v1
kind: Service
metadata: { name: ${host} }
spec: { selector: { app: ${host} }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: other }
spec: { selector: { app: ${host} }, ports: [{ name: http, port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${host} }
spec:
  parentRefs: [{ group: '', kind: Service, name: ${host} }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /other } }]
      backendRefs: [{ name: other, port: 80 }]
    - backendRefs: [{ name: ${host}, port: 80 }]
---
apiVersion: weft.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: viewers }
spec:
  selector: { matchLabels: { app: ${host} } }
  action: ALLOW
  rules: [{ from: [{ source: { principals: [weft.local/ns/default/sa/client] } }] }]
`

export const weft: Subject = {
  name: 'Weft',
  features:
    '`weft up` and `weft run` as users start them: routing by host and path, authorization by SPIFFE ID (with mTLS), all metrics, retries, request IDs; access log off',
  find() {
    if (!fs.existsSync(script)) return { missing: 'npm run build' }
    const { stdout } = spawnSync(process.execPath, [script, '--version'], { encoding: 'utf8' })
    return { version: `${stdout.trim()}, Node ${process.version.slice(1)}` }
  },
  async start(shape): Promise<Started> {
    const { dir, mtls } = shape
    const env = { WEFT_DATA_DIR: path.join(dir, 'data') }
    const command = (...args: readonly string[]): readonly string[] => [process.execPath, script, ...args]
    const ports = await Promise.all([freePort(), freePort()])
    const up = start(command('up', '--xds', `127.0.0.1:${ports[0]}`, '--api', `127.0.0.1:${ports[1]}`), {
      env,
      cwd: dir,
    })
    await until('the control plane answers', () => answers(ports[1]), up)
    const applied = spawnSync(process.execPath, [script, 'apply', '-f', '-'], {
      input: resources(shape),
      env: { ...process.env, ...env },
      encoding: 'utf8',
    })
    if (applied.status !== 0) throw new Error(`weft apply: ${applied.stdout}${applied.stderr}${up.output}`)
    const callee = mtls ? await runCallee(shape, env, command) : undefined
    const told = path.join(dir, 'client.env')
    const program = `require('fs').writeFileSync(process.argv[1], process.env.HTTP_PROXY); setInterval(() => {}, 1e9)`
    const caller = start(
      command('run', '--service', 'client', '--capture', 'explicit', '--', process.execPath, '-e', program, told),
      {
        env,
        cwd: dir,
      },
    )
    const proxy = await until('the client runs', () => (fs.existsSync(told) ? readWhole(told) : undefined), caller)
    return {
      port: Number(new URL(proxy).port),
      target: `http://${host}/`,
      proxies: [...processesOf('client', caller), ...(callee === undefined ? [] : processesOf('server', callee))],
      async stop() {
        await caller.stop()
        await callee?.stop()
        await up.stop()
      },
    }
  },
}

const readWhole = (file: string): string | undefined => fs.readFileSync(file, 'utf8') || undefined

/** The backend again, this time as a workload; it is the same nginx. */
async function runCallee(
  { dir }: Shape,
  env: Readonly<Record<string, string>>,
  command: (...args: readonly string[]) => readonly string[],
): Promise<Running> {
  const found = findNginx()
  if ('missing' in found) throw new Error(`nginx is the backend: ${found.missing}`)
  const port = await freePort()
  const file = path.join(dir, 'backend.conf')
  fs.writeFileSync(
    file,
    `daemon off; master_process off; pid ${dir}/backend.pid; error_log stderr warn; events { worker_connections 2048; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
${backendConfiguration(port)} }`,
  )
  const program = [findProgram('nginx') ?? '', '-p', dir, '-c', file, '-e', 'stderr']
  const flags = ['--service', host, '--port', `80=${port}/http`, '--capture', 'explicit']
  const running = start(command('run', ...flags, '--', ...program), { env, cwd: dir })
  await until('the backend answers', () => answers(port), running)
  return running
}

/** Sidecar and agent: both are there because of the mesh, so both count. The program is not. */
function processesOf(role: string, { pid }: Running): Started['proxies'] {
  const isSidecar = (child: number): boolean =>
    fs
      .readFileSync(`/proc/${child}/cmdline`, 'latin1')
      .split('\0')
      .some((word) => word.endsWith('/sidecar.js'))
  return [
    { role, pids: childrenOf(pid).filter(isSidecar) },
    { role: `${role} agent`, pids: [pid] },
  ]
}
