const { PostHog } = require('posthog-node')
const job = require('./job.cjs')

const client = new PostHog(job.token, { host: job.url })
let failed = false
client.on('error', (err) => {
  failed = true
  job.failure(err)
})
if (job.sends('view')) {
  client.capture({
    distinctId: 'viewer',
    event: '$pageview',
    properties: { $current_url: job.page, $referrer: job.referrer, title: job.title, $ip: job.viewer.ip, $raw_user_agent: job.viewer.ua },
  })
}
if (job.sends('order')) {
  client.capture({
    distinctId: 'buyer',
    event: 'Order',
    properties: { $current_url: job.page, plan: 'pro', revenue: 12.5, currency: 'EUR', $ip: job.buyer.ip, $raw_user_agent: job.buyer.ua },
  })
}
client.shutdown().then(() => failed || job.success(), job.failure)
