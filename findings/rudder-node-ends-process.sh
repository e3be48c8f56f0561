#!/usr/bin/env bash
# @rudderstack/rudder-sdk-node ends the process that uses it when its server refuses a batch, or is away for longer than its three
# repeats (about 2.5 s): track() flushes by itself and drops the promise of that, which is rejected, and node ends at a rejection
# that nobody handles. The callbacks of the events do not run before. A caller can't catch it; the option errorHandler, which the
# README calls "a function that will be called if request to server failed", is what keeps the process alive. With it flush(callback)
# reports success for events that are given up: the callback of a flush that finds the queue empty is not told of the error.
#
# Seen on 2026-11-29 with 3.0.13 (npm) and node 20.20.2, against a server on loopback that answers 400 to every batch: the process of
# the README's example ends with exit code 1 and "Error: Bad Request"; with errorHandler it ends with 0, the callback of the event
# has the error, and that of flush() has none.
#
# Needs node with npm, and a package index. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts @rudderstack/rudder-sdk-node@3.0.13
cat >app.cjs <<'JS'
const Analytics = require('@rudderstack/rudder-sdk-node')

const options = { dataPlaneUrl: process.argv[2], logLevel: 'silent' }
if (process.argv[3] === 'handled') options.errorHandler = (err) => console.log('errorHandler', err.response.status)
const client = new Analytics('key', options)
client.track({ userId: 'ada', event: 'Order' }, (err) => console.log('event', err ? 'error' : 'success'))
client.flush((err) => console.log('flush', err ? 'error' : 'success'))
JS
cat >run.cjs <<'JS'
const { createServer } = require('node:http')
const { spawn } = require('node:child_process')

const server = createServer((req, res) => {
  req.resume()
  req.on('end', () => {
    res.writeHead(400)
    res.end()
  })
})
function run(...args) {
  return new Promise((resolve) => {
    const url = `http://127.0.0.1:${server.address().port}`
    const app = spawn(process.execPath, ['app.cjs', url, ...args])
    let out = ''
    app.stdout.on('data', (text) => (out += text))
    app.on('close', (code) => resolve(`exit code ${code}: ${out.trim().split('\n').sort().join(', ')}`))
  })
}
server.listen(0, '127.0.0.1', async () => {
  const got = [await run(), await run('handled')]
  server.close()
  console.log('@rudderstack/rudder-sdk-node', require('@rudderstack/rudder-sdk-node/package.json').version, 'node', process.versions.node)
  console.log(got.join('\n'))
  const want = ['exit code 1: ', 'exit code 0: errorHandler 400, event error, flush success']
  process.exitCode = got.every((text, i) => text === want[i]) ? 0 : 1
})
JS
env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY node run.cjs
