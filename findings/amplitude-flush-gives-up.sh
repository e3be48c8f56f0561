#!/usr/bin/env bash
# @amplitude/analytics-node loses events at flush(): those that are sent by it are given up at the first 429, 500 or 503, while the
# same events sent by its own timer come again up to eleven times. Its types say no more of it than "Flush all unsent events". A
# service that calls flush() after each request loses at each short outage what it would have kept without. A connection that is
# closed without an answer is final in both.
#
# Seen on 2026-11-29 with @amplitude/analytics-node 1.5.73 (npm) and node 20.20.2, against a server on loopback that answers the
# first request otherwise and all others with 200: by flush() one request and a result with the code of the first answer, by the
# timer two requests and 200; reset, one request and the code 0.
#
# Needs node with npm, and a package index. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts @amplitude/analytics-node@1.5.73
cat >run.cjs <<'JS'
const { createServer } = require('node:http')
const { createInstance } = require('@amplitude/analytics-node')

const success = JSON.stringify({ code: 200, events_ingested: 1, payload_size_bytes: 1, server_upload_time: 1 })

async function run(first, byFlush) {
  let requests = 0
  const server = createServer((req, res) => {
    req.resume()
    req.on('end', () => {
      requests++
      if (requests > 1) return res.end(success)
      if (first === 'reset') return req.socket.destroy()
      res.writeHead(first)
      res.end(JSON.stringify({ code: first, error: 'later' }))
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const amplitude = createInstance()
  const options = { serverUrl: `http://127.0.0.1:${server.address().port}/2/httpapi`, logLevel: 0 }
  await amplitude.init('key', byFlush ? options : { ...options, flushQueueSize: 1 }).promise
  const { promise } = amplitude.track('Order', {}, { user_id: 'ada' })
  if (byFlush) amplitude.flush()
  const { code } = await promise
  server.close()
  server.closeAllConnections()
  return `${requests} requests, code ${code}`
}

async function main() {
  console.log('@amplitude/analytics-node', require('@amplitude/analytics-node/package.json').version, 'node', process.versions.node)
  const cases = [429, 500, 503, 'reset'].flatMap((first) => [
    [first, 'flush', first === 'reset' ? '1 requests, code 0' : `1 requests, code ${first}`],
    [first, 'timer', first === 'reset' ? '1 requests, code 0' : '2 requests, code 200'],
  ])
  const got = await Promise.all(cases.map(([first, by]) => run(first, by === 'flush')))
  let changed = 0
  cases.forEach(([first, by, want], i) => {
    console.log(first, 'by', by + ':', got[i])
    changed += got[i] !== want
  })
  process.exit(changed ? 1 : 0)
}
main()
JS
node run.cjs
