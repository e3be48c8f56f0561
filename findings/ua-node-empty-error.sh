#!/usr/bin/env bash
# universal-analytics takes an error status for success if the answer has no body: it hands the body of the answer to its callback as
# the error, and no body is the empty text, which is no error to JavaScript. So a server (or a load balancer) that refuses with an
# empty 503 or 400 loses hits that the application takes for sent; the same status with any body is reported. The README says that
# "in case no error is provided you can be sure the request was successfully sent off". A server for it has to write a body with
# every refusal.
#
# Seen on 2026-11-29 with universal-analytics 0.5.3 (npm) and node 20.20.2, against a server on loopback: of 400, 429 and 503 without
# a body the callback has no error, with the body "no" it has.
#
# Needs node with npm, and a package index. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts universal-analytics@0.5.3
cat >run.cjs <<'JS'
const { createServer } = require('node:http')
const ua = require('universal-analytics')

let answer
const server = createServer((req, res) => {
  req.resume()
  req.on('end', () => {
    res.writeHead(answer.status)
    res.end(answer.body)
  })
})
server.listen(0, '127.0.0.1', async () => {
  console.log('universal-analytics', require('universal-analytics/package.json').version, 'node', process.versions.node)
  let changed = 0
  for (const status of [400, 429, 503]) {
    for (const [body, want] of [['', 'success'], ['no', 'error']]) {
      answer = { status, body }
      const visitor = ua('UA-1-1', { hostname: `http://127.0.0.1:${server.address().port}`, http: true })
      const got = await new Promise((resolve) => visitor.pageview('/', (err) => resolve(err ? 'error' : 'success')))
      console.log(status, JSON.stringify(body), got)
      changed += got !== want
    }
  }
  server.close()
  process.exitCode = changed ? 1 : 0
})
JS
node run.cjs
