const { Bulk } = require('countly-sdk-nodejs')
const job = require('./job.cjs')

// By default it looks at its queue every 5 s, and after a failure waits for a minute.
const server = new Bulk({ app_key: job.token, url: job.url, interval: 100, fail_timeout: 1 })
if (job.sends('view')) {
  server.add_request({
    device_id: 'viewer',
    ip_address: job.viewer.ip,
    metrics: { _ua: job.viewer.ua },
    events: [
      { key: '[CLY]_view', count: 1, segmentation: { name: job.path, view: job.path, domain: job.host, visit: 1, referrer: job.referrer, title: job.title } },
    ],
  })
}
if (job.sends('order')) {
  server.add_request({
    device_id: 'buyer',
    ip_address: job.buyer.ip,
    metrics: { _ua: job.buyer.ua },
    events: [{ key: 'Order', count: 1, sum: 12.5, segmentation: { plan: 'pro', currency: 'EUR' } }],
  })
}
// It calls back whenever it has had nothing to do for a while, which a pause is too.
server.start(() => {
  if (server.queue_size() > 0) return
  job.success()
  server.stop()
})
