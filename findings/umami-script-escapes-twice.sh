#!/usr/bin/env bash
# Umami's page script, as the npm package umami 2.10.0 ships it, escapes what is escaped already: a page at /caf%C3%A9 is sent as
# /caf%25C3%25A9 and a title "Shop page" as "Shop%20page", so that a collector which takes the JSON as it is counts a page that
# nobody has. It can't be told from the text alone whether a title with "%20" in it was escaped.
#
# And of a page that changes by history.pushState it sends the path without the query: a campaign, or /search?q=…, is there for a
# first view and not for a later one.
#
# Seen on 2026-11-30 with 2.10.0 (npm) and node 20.20.2, the script unchanged, with a window of the few things that it reads, against a
# server on loopback.
#
# Needs node with npm, and a package index. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm pack --silent umami@2.10.0 >/dev/null
tar xzf umami-2.10.0.tgz package/src/tracker/index.js
cat >run.cjs <<'JS'
const { createServer } = require('node:http')
const { readFileSync } = require('node:fs')
const { runInThisContext } = require('node:vm')

const sent = []
const server = createServer((req, res) => {
  let body = ''
  req.on('data', (part) => (body += part))
  req.on('end', () => {
    sent.push(JSON.parse(body).payload)
    res.end('cache')
    if (sent.length === 1) history.pushState({}, '', 'https://shop.example.com/prices?utm_source=letter')
    if (sent.length === 2) server.close(report)
    if (sent.length === 2) server.closeAllConnections()
  })
})

function report() {
  console.log('umami 2.10.0 node', process.versions.node)
  const got = sent.map((p) => `${p.url} "${p.title}" from ${p.referrer}`)
  console.log(got.join('\n'))
  const want = [
    '/caf%25C3%25A9?utm_source=ad "Shop%20page" from https://search.example/?q=caf%25C3%25A9',
    '/prices "Shop%20page" from /caf%25C3%25A9?utm_source=ad',
  ]
  process.exitCode = got.length === want.length && got.every((text, i) => text === want[i]) ? 0 : 1
}

server.listen(0, '127.0.0.1', () => {
  const script = { src: `http://127.0.0.1:${server.address().port}/script.js`, getAttribute: (name) => (name === 'data-website-id' ? 'W' : null) }
  globalThis.MutationObserver = class { observe() {} } // of the title, which stays
  globalThis.history = { pushState() {}, replaceState() {} }
  globalThis.document = {
    currentScript: script, referrer: 'https://search.example/?q=caf%C3%A9', title: 'Shop page', readyState: 'complete',
    addEventListener() {}, querySelector: () => null,
  }
  globalThis.window = {
    screen: { width: 1280, height: 720 }, navigator: { language: 'en' }, localStorage: { getItem: () => null }, document, history,
    location: { hostname: 'shop.example.com', pathname: '/caf%C3%A9', search: '?utm_source=ad' },
  }
  runInThisContext(readFileSync('package/src/tracker/index.js', 'utf8'))
})
JS
env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY node run.cjs
