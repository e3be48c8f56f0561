const { Analytics } = require('@segment/analytics-node')
const job = require('./job.cjs')

const analytics = new Analytics({ writeKey: job.token, host: job.url })
const done = (err) => (err ? job.failure(err) : job.success())
analytics.on('error', (err) => job.failure(err.reason ?? err.code))
if (job.sends('view')) {
  analytics.page(
    {
      anonymousId: 'viewer',
      properties: { url: job.page, referrer: job.referrer, title: job.title },
      context: { ip: job.viewer.ip, userAgent: job.viewer.ua },
    },
    done,
  )
}
if (job.sends('order')) {
  analytics.track(
    {
      anonymousId: 'buyer',
      event: 'Order',
      properties: { plan: 'pro', revenue: 12.5, currency: 'EUR' },
      context: { page: { url: job.page }, ip: job.buyer.ip, userAgent: job.buyer.ua },
    },
    done,
  )
}
analytics.closeAndFlush()
