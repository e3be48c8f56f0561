const { init, track } = require('@amplitude/analytics-node')
const job = require('./job.cjs')

const done = ({ code, message }) => (code === 200 ? job.success() : job.failure(message))
// With a queue of one event it does not wait for its ten seconds.
init(job.token, { serverUrl: job.url + '/2/httpapi', flushQueueSize: 1 }).promise.then(() => {
  if (job.sends('view')) {
    track(
      '[Amplitude] Page Viewed',
      { '[Amplitude] Page Location': job.page, '[Amplitude] Page Title': job.title, referrer: job.referrer },
      { user_id: 'viewer', ip: job.viewer.ip, user_agent: job.viewer.ua },
    ).promise.then(done)
  }
  if (job.sends('order')) {
    track(
      'Order',
      { '[Amplitude] Page Location': job.page, plan: 'pro' },
      { user_id: 'buyer', revenue: 12.5, currency: 'EUR', ip: job.buyer.ip, user_agent: job.buyer.ua },
    ).promise.then(done)
  }
})
