// The package's main names a file that it does not have.
const ga4mp = require('@analytics-debugger/ga4mp/dist/ga4mp.umd.js')
const job = require('./job.cjs')

const tracker = (user_ip_address) => ga4mp([job.token], { endpoint: job.url + '/g/collect', user_ip_address })
if (job.sends('view')) {
  tracker(job.viewer.ip).trackEvent('page_view', { page_location: job.page, page_referrer: job.referrer, page_title: job.title })
}
if (job.sends('order')) {
  tracker(job.buyer.ip).trackEvent('purchase', { page_location: job.page, plan: 'pro', value: 12.5, currency: 'EUR', transaction_id: 'T-1' })
}
