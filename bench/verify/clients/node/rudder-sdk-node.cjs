const Analytics = require('@rudderstack/rudder-sdk-node')
const job = require('./job.cjs')

const client = new Analytics(job.token, { dataPlaneUrl: job.url })
const done = (err) => (err ? job.failure(err) : job.success())
if (job.sends('view')) {
  client.page(
    {
      anonymousId: 'viewer',
      properties: { url: job.page, referrer: job.referrer, title: job.title },
      context: { ip: job.viewer.ip, userAgent: job.viewer.ua },
    },
    done,
  )
}
if (job.sends('order')) {
  client.track(
    {
      anonymousId: 'buyer',
      event: 'Order',
      properties: { plan: 'pro', revenue: 12.5, currency: 'EUR' },
      context: { page: { url: job.page }, ip: job.buyer.ip, userAgent: job.buyer.ua },
    },
    done,
  )
}
client.flush()
