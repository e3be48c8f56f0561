const Analytics = require('@rudderstack/rudder-sdk-node')
const job = require('./job.cjs')

const client = new Analytics(job.token, { dataPlaneUrl: job.url, errorHandler: job.failure })
client.track(
  {
    anonymousId: 'buyer',
    event: 'Order',
    properties: { plan: 'pro', revenue: 12.5, currency: 'EUR' },
    context: { page: { url: job.page }, ip: job.buyer.ip, userAgent: job.buyer.ua },
  },
  (err) => (err ? job.failure(err) : job.success()),
)
