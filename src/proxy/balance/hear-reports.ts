import type { Body } from '../http/body.ts'
import type { Reply } from '../http/service.ts'
import { readLoadReport, type LoadReport } from './load-report.ts'

/** Tells the load report of a reply: of its head, else of its trailers, when they come. */
export function hearReports(reply: Reply, heard: (report: LoadReport) => void): Reply {
  const report = readLoadReport(reply.headers)
  if (report !== undefined) heard(report)
  return report !== undefined || reply.body.length === 0 ? reply : { ...reply, body: listening(reply.body, heard) }
}

const listening = (source: Body, heard: (report: LoadReport) => void): Body => ({
  length: source.length,
  start(sink) {
    source.start({
      data: (chunk) => sink.data(chunk),
      end(trailers) {
        const report = trailers && readLoadReport(trailers)
        if (report !== undefined) heard(report)
        sink.end(trailers)
      },
      fail: (fault) => sink.fail(fault),
    })
  },
  resume: () => source.resume(),
  cancel: (fault) => source.cancel(fault),
})
