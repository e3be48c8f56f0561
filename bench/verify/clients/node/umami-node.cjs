const { Umami } = require('@umami/node')
const job = require('./job.cjs')

const umami = new Umami({ websiteId: job.token, hostUrl: job.url })
const done = (res) => (res.ok ? job.success() : job.failure(res.status))
if (job.sends('view')) {
  umami
    .track({
      hostname: job.host,
      url: job.path,
      referrer: job.referrer,
      title: job.title,
      ip: job.viewer.ip,
      userAgent: job.viewer.ua,
    })
    .then(done, job.failure)
}
if (job.sends('order')) {
  umami.track('Order', { plan: 'pro', revenue: 12.5, currency: 'EUR' }).then(done, job.failure)
}
