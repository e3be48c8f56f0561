// What every script here begins with: the job that the test gives it, and words for what the
// client learns of it. A script sends the events of the job once and in the way that its library
// documents, and ends when nothing is left to do.
const { parseArgs } = require('node:util')

const { values } = parseArgs({
  options: {
    url: { type: 'string' }, // of the collector or a proxy, http://127.0.0.1:8080
    token: { type: 'string' }, // the tracker's id of the site
    site: { type: 'string' },
    events: { type: 'string' }, // names of those below, with commas
  },
})
const names = values.events.split(',')

module.exports = {
  url: values.url,
  token: values.token,
  // What the events have in common.
  page: `https://${values.site}/pricing`,
  host: values.site,
  path: '/pricing',
  title: 'Pricing',
  referrer: 'https://news.example/item?id=7',
  // Each event has its visitor, whom the server reports by address and user agent.
  viewer: { ip: '198.51.100.7', ua: 'Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0' },
  buyer: { ip: '203.0.113.9', ua: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0' },
  // sends reports whether the job has an event, "view" or "order".
  sends: (name) => names.includes(name),
  success: () => console.log('success'),
  failure: (why) => console.log('failure', String(why?.message ?? why)),
  // idle calls fn when the client has nothing left that it would do by itself.
  idle: (fn) =>
    process.once('beforeExit', () => {
      console.log('idle', Date.now())
      fn()
    }),
}
