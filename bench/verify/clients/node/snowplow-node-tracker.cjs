const { newTracker, buildPageView, buildEcommerceTransaction } = require('@snowplow/node-tracker')
const job = require('./job.cjs')

const { protocol, hostname, port } = new URL(job.url)
const tracker = newTracker(
  { namespace: 'test', appId: job.token, encodeBase64: false },
  {
    endpoint: hostname,
    port: Number(port),
    protocol: protocol.slice(0, -1),
    onRequestSuccess: job.success,
    onRequestFailure: ({ status, message, willRetry }) => {
      job.failure(status ?? message)
      // It has no timer: what is kept goes with the next event or by flush.
      if (willRetry) job.idle(() => tracker.flush())
    },
  },
)
function be({ ip, ua }) {
  tracker.setIpAddress(ip)
  tracker.setUseragent(ua)
}
if (job.sends('view')) {
  be(job.viewer)
  tracker.track(buildPageView({ pageUrl: job.page, pageTitle: job.title, referrer: job.referrer }))
}
if (job.sends('order')) {
  be(job.buyer)
  tracker.addPayloadPair('url', job.page)
  tracker.track(buildEcommerceTransaction({ orderId: 'T-1', total: 12.5, currency: 'EUR' }), [
    { schema: 'iglu:com.acme/plan/jsonschema/1-0-0', data: { plan: 'pro' } },
  ])
}
tracker.flush()
