#!/usr/bin/env bash
# OpenPanel's SDK sends an event four times in all (0.5, 1 and 2 s between them) at each status but 200, 202 and 401, so for 204 and
# 400 too: a server that answers "no content" to what it has stored gets it four times, and there is no id by which the four are
# known as one. 401 alone is final; nothing is thrown or logged then. A body of 200 that is no JSON makes it send again as well.
#
# Seen on 2026-11-29 with @openpanel/sdk 1.3.1 (npm, node 20.20.2): requests by answer: 200 {} 1, 202 {} 1, 200 without a body 1,
# 200 "ok" 4, 204 4, 400 4, 401 1, 503 4; track() never throws.
#
# Needs node 20 or later and npm. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund @openpanel/sdk@1.3.1
cat > run.mjs <<'JS'
import http from 'node:http'
import { OpenPanel } from '@openpanel/sdk'
console.error = () => {} // "Max retries reached"
let changed = 0
async function run(status, body, want) {
  const bodies = new Set()
  let n = 0
  const server = http.createServer(async (req, res) => {
    let text = ''
    for await (const chunk of req) text += chunk
    bodies.add(text)
    n++
    res.writeHead(status, { 'Content-Type': 'application/json' })
    res.end(body)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const op = new OpenPanel({ clientId: 'ID', apiUrl: `http://127.0.0.1:${server.address().port}` })
  let thrown = ''
  await op.track('order').catch((err) => { thrown = String(err) })
  console.log(`${status} ${JSON.stringify(body)}: ${n} requests, ${bodies.size} different ${thrown}`)
  if (n !== want || bodies.size !== 1 || thrown) changed++
  server.closeAllConnections()
  server.close()
}
await Promise.all([
  run(200, '{}', 1), run(202, '{}', 1), run(200, '', 1), run(200, 'ok', 4),
  run(204, '', 4), run(400, '{"error":"no"}', 4), run(401, '{"error":"no"}', 1), run(503, '{"error":"later"}', 4),
])
process.exit(changed ? 1 : 0)
JS
node run.mjs
