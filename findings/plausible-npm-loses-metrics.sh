#!/usr/bin/env bash
# npm's "plausible", a client of Plausible's Stats API v1 for servers of one's own too, returns of an aggregate only four metrics:
# visitors, pageviews, bounce_rate, and else visit_duration, whatever was asked. So visits, events and views_per_visit, which the API
# has answered rightly, come back as undefined, without an error; and of several metrics in one request it returns the first
# of those four alone, although its text promises any number and combination. And without an address it asks
# plausible.com, which is not where the API is (plausible.io): the third argument is needed, not optional.
#
# Seen on 2026-11-30 with plausible 2.2.1 (npm, node 20): what the server below answers, and what the client returns of it.
#
# Needs node and npm, and a package index; talks to a server of its own on 127.0.0.1. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --ignore-scripts --no-audit --no-fund plausible@2.2.1
cat >ask.cjs <<-'EOF'
	const { createServer } = require('node:http')
	const { default: Plausible } = require('plausible')
	const values = { visitors: 3, pageviews: 9, bounce_rate: 33, visit_duration: 80, visits: 4, events: 12, views_per_visit: 2.25 }
	const server = createServer((req, res) => {
	  const metrics = new URL(req.url, 'http://127.0.0.1').searchParams.get('metrics').split(',')
	  res.setHeader('content-type', 'application/json')
	  res.end(JSON.stringify({ results: Object.fromEntries(metrics.map((m) => [m, { value: values[m] }])) }))
	})
	server.listen(0, '127.0.0.1', async () => {
	  const client = new Plausible('key', 'shop.example.com', `http://127.0.0.1:${server.address().port}`)
	  for (const metrics of ['pageviews', 'visits', 'events', 'views_per_visit', 'bounce_rate,pageviews,visits']) {
	    console.log(`${metrics}: ${JSON.stringify(await client.getAggregate('7d', metrics))}`)
	  }
	  console.log(`address: ${new Plausible('key', 'shop.example.com').url}`)
	  server.close()
	})
EOF
node ask.cjs | tee out
diff out - <<-'EOF'
	pageviews: {"value":9}
	visits: undefined
	events: undefined
	views_per_visit: undefined
	bounce_rate,pageviews,visits: {"value":9}
	address: https://plausible.com
EOF
