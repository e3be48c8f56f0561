#!/usr/bin/env bash
# Countly's SDK for node gives up no request, whatever the answer: at any status but 2xx, and at 2xx without JSON that has a
# result, the first request of its queue is sent again each fail_timeout (60 s by default), without end, and what comes after it
# waits. So one request that a server will always refuse (400) holds up all later ones, also of other kinds, until queue_size
# (1,000) more push it out. A server has to answer 2xx with a result to be rid of a request that it can't take.
#
# Seen on 2026-11-29 with countly-sdk-nodejs 24.10.4 (npm, node 20.20.2): in 7.5 s with fail_timeout 1, begin_session is sent at
# least three times for 204 and for 400 each, and nothing else is; for 200 with {"result":"Refused"} each request is sent once.
#
# Needs node 20 or later and npm. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund countly-sdk-nodejs@24.10.4
cat > client.js <<'JS'
const Countly = require('countly-sdk-nodejs')
Countly.init({ app_key: 'KEY', device_id: 'd', url: process.argv[2], fail_timeout: 1, storage_type: 'memory', metrics: {} })
Countly.begin_session()
Countly.add_event({ key: 'order' })
setTimeout(() => process.exit(0), 7500)
JS
cat > server.js <<'JS'
const http = require('http')
const { spawn } = require('child_process')
let changed = 0
function run(status, body, want) {
  return new Promise((resolve) => {
    const seen = []
    const server = http.createServer((req, res) => {
      seen.push(new URL(req.url, 'http://x').searchParams.has('events') ? 'events' : 'begin_session')
      res.writeHead(status, { 'Content-Type': 'application/json' })
      res.end(body)
    })
    server.listen(0, '127.0.0.1', () => {
      spawn(process.execPath, ['client.js', 'http://127.0.0.1:' + server.address().port], { stdio: 'ignore' }).on('close', () => {
        console.log(status, body, seen.join(' '))
        if (!want(seen)) changed++
        server.closeAllConnections()
        server.close(resolve)
      })
    })
  })
}
const stuck = (seen) => seen.length >= 3 && seen.every((s) => s === 'begin_session')
const once = (seen) => seen.join() === 'begin_session,events'
run(400, '{"result":"no"}', stuck)
  .then(() => run(204, '', stuck))
  .then(() => run(200, '{"result":"Refused"}', once))
  .then(() => process.exit(changed ? 1 : 0))
JS
node server.js
