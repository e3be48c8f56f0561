const { init, trackEvent } = require('@aptabase/web')
const job = require('./job.cjs')

init(job.token, { host: job.url })
// There are no views, and no visitor but this program.
if (job.sends('order')) {
  trackEvent('Order', { plan: 'pro', revenue: 12.5, currency: 'EUR' }).then(job.success, job.failure)
}
