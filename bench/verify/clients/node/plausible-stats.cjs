// The client of the Stats API v1: makes the calls of its standard input, a JSON array of
// [method, argument, …], one after the other, and prints what each returns or throws as a line of JSON.
const { default: Plausible } = require('plausible')

const [url, site, key] = process.argv.slice(2)
const client = new Plausible(key, site, url)

async function main() {
  for (const [method, ...args] of JSON.parse(require('node:fs').readFileSync(0, 'utf8'))) {
    try {
      console.log(JSON.stringify({ returned: await client[method](...args) }))
    } catch (e) {
      console.log(JSON.stringify({ thrown: e.message }))
    }
  }
}

main()
