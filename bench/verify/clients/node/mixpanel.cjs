const Mixpanel = require('mixpanel')
const job = require('./job.cjs')

const { hostname, port } = new URL(job.url)
const mixpanel = Mixpanel.init(job.token, { protocol: 'http', host: `${hostname}:${port}` })
const done = (err) => (err ? job.failure(err) : job.success())
if (job.sends('view')) {
  mixpanel.track(
    '$mp_web_page_view',
    { distinct_id: 'viewer', $current_url: job.page, $referrer: job.referrer, current_page_title: job.title, ip: job.viewer.ip },
    done,
  )
}
if (job.sends('order')) {
  mixpanel.track(
    'Order',
    { distinct_id: 'buyer', $current_url: job.page, plan: 'pro', revenue: 12.5, currency: 'EUR', ip: job.buyer.ip },
    done,
  )
}
