#!/usr/bin/env bash
# pirsch-sdk for browsers tells its caller that a request which got no answer at all was refused with 400: hit() throws a
# PirschApiError with code 400 and "status 400: an unknown error occurred!" for a connection that was reset, as for a real 400, so that
# a caller who sends again at all but 4xx gives up what nobody has refused. The client for node says 500 and "socket hang up".
#
# And with a client id and secret the client for node sends its first request with an empty token ("Authorization: Bearer"), asks for a
# token only at 401, and sends once more: each process costs a refused request, and a server that lets such a request pass is never
# asked for a token. An access token (pa_…) that is refused is not tried again.
#
# Seen on 2026-11-29 with 2.9.1 (npm) and node 20.20.2, against a server on loopback.
#
# Needs node with npm, and a package index. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts pirsch-sdk@2.9.1
cat >run.cjs <<'JS'
const { createServer } = require('node:http')
const node = require('pirsch-sdk')
const web = require('pirsch-sdk/web')

// What the client for browsers reads of the page.
globalThis.document = { title: 'Page', referrer: '' }
globalThis.screen = { width: 1280, height: 720 }
globalThis.location = { href: 'https://shop.example.com/', hostname: 'shop.example.com' }

const seen = []
const server = createServer((req, res) => {
  req.resume()
  req.on('end', () => {
    const auth = req.headers.authorization
    seen.push(`${req.method} ${req.url.split('?')[0]} ${auth ?? '-'}`)
    if (req.url.startsWith('/reset/')) return res.socket.destroy()
    if (req.url.endsWith('/token')) return res.writeHead(200, { 'content-type': 'application/json' }).end('{"access_token":"T"}')
    res.writeHead(auth === 'Bearer T' ? 200 : 401).end()
  })
})
const hit = { url: 'https://shop.example.com/', ip: '198.51.100.9', user_agent: 'x' }
const told = (promise) => promise.then(() => 'success', (err) => `${err.name} ${err.code} ${err.message}`)
server.listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}`
  const access = { hostname: 'shop.example.com', accessToken: 'pa_' + 'k'.repeat(45) }
  const secret = { hostname: 'shop.example.com', clientId: 'c'.repeat(32), clientSecret: 's'.repeat(64) }
  const got = [
    await told(new web.Client({ baseUrl: url + '/reset', identificationCode: 'i'.repeat(32) }).hit()),
    await told(new node.Client({ ...access, baseUrl: url + '/reset' }).hit(hit)),
  ]
  seen.length = 0
  got.push(await told(new node.Client({ ...secret, baseUrl: url }).hit(hit)), ...seen)
  seen.length = 0
  got.push(await told(new node.Client({ ...access, baseUrl: url }).hit(hit)), ...seen)
  server.close()
  console.log('pirsch-sdk', require('pirsch-sdk/package.json').version, 'node', process.versions.node)
  console.log(got.join('\n'))
  const want = [
    'PirschApiError 400 status 400: an unknown error occurred!',
    'PirschUnknownApiError 500 socket hang up',
    'success',
    'POST /api/v1/hit Bearer',
    'POST /api/v1/token -',
    'POST /api/v1/hit Bearer T',
    'PirschApiError 401 status 401: an unknown error occurred!',
    `POST /api/v1/hit Bearer ${access.accessToken}`,
  ]
  process.exitCode = got.length === want.length && got.every((text, i) => text === want[i]) ? 0 : 1
})
JS
env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY node run.cjs
