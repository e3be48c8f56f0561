const ua = require('universal-analytics')
const job = require('./job.cjs')

function visitor({ ip, ua: agent }) {
  const v = ua(job.token, { hostname: job.url, http: true })
  v.set('uip', ip)
  v.set('ua', agent)
  v.set('dh', job.host)
  return v
}
const done = (err) => (err ? job.failure(err) : job.success())
if (job.sends('view')) {
  visitor(job.viewer)
    .pageview({ dp: job.path, dt: job.title, dr: job.referrer })
    .event({ ec: 'Plan', ea: 'Choose', el: 'pro' })
    .send(done)
}
if (job.sends('order')) {
  visitor(job.buyer).transaction({ ti: 'T-1', tr: 12.5, cu: 'EUR', dp: job.path }).send(done)
}
