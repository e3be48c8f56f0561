const { init, track, flush } = require('@amplitude/analytics-node')
const job = require('./job.cjs')

const done = ({ code, message }) => (code === 200 ? job.success() : job.failure(message))
init(job.token, { serverUrl: job.url + '/2/httpapi' }).promise.then(() => {
  track(
    'Order',
    { '[Amplitude] Page Location': job.page, plan: 'pro' },
    { user_id: 'buyer', revenue: 12.5, currency: 'EUR', ip: job.buyer.ip, user_agent: job.buyer.ua },
  ).promise.then(done)
  flush()
})
