const { Pirsch } = require('pirsch-sdk')
const job = require('./job.cjs')

const client = new Pirsch({ hostname: job.host, accessToken: job.token, baseUrl: job.url })
const hit = ({ ip, ua }) => ({ url: job.page, ip, user_agent: ua, title: job.title })
if (job.sends('view')) {
  client.hit({ ...hit(job.viewer), referrer: job.referrer }).then(job.success, job.failure)
}
if (job.sends('order')) {
  client.event('Order', hit(job.buyer), 0, { plan: 'pro', revenue: 12.5, currency: 'EUR' }).then(job.success, job.failure)
}
