const Analytics = require('analytics-node')
const job = require('./job.cjs')

// Without errorHandler a promise is rejected that nobody handles, which ends the process.
const analytics = new Analytics(job.token, { host: job.url, errorHandler: () => {} })
const done = (err) => (err ? job.failure(err) : job.success())
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
analytics.flush()
