const job = require('./job.cjs')

function count({ ip, ua }, hit) {
  return fetch(job.url + '/api/v0/count', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${job.token}` },
    body: JSON.stringify({ hits: [{ ip, user_agent: ua, ...hit }] }),
  }).then((res) => (res.ok ? job.success() : job.failure(res.status)), job.failure)
}
if (job.sends('view')) {
  count(job.viewer, { path: job.path, title: job.title, ref: job.referrer })
}
if (job.sends('order')) {
  count(job.buyer, { path: 'Order', event: true })
}
