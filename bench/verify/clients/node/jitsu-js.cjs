const { jitsuAnalytics } = require('@jitsu/js')
const job = require('./job.cjs')

const analytics = jitsuAnalytics({ host: job.url, writeKey: job.token + ':secret', s2s: true })
const done = (message) => (message ? job.success() : job.failure('nothing'))
if (job.sends('view')) {
  analytics
    .page({
      url: job.page,
      referrer: job.referrer,
      title: job.title,
      context: { ip: job.viewer.ip, userAgent: job.viewer.ua },
    })
    .then(done, job.failure)
}
if (job.sends('order')) {
  analytics
    .track('Order', {
      plan: 'pro',
      revenue: 12.5,
      currency: 'EUR',
      context: { page: { url: job.page }, ip: job.buyer.ip, userAgent: job.buyer.ua },
    })
    .then(done, job.failure)
}
