// Runs Chromium for a test, which sends code to run in it: a line of JSON on the standard input, {"id":1,"code":"...","arg":...},
// is answered by a line of JSON, {"id":1,"value":...} or {"id":1,"error":"..."}, in the order in which the codes end. The code is the
// body of an async function of browser (of puppeteer), context, a fresh page in it, arg, and until(fn), which waits until fn returns
// something true. The browser ends with the input.
//
// Arguments: the program, and HOST:PORT, to which all names under example lead.
const puppeteer = require('puppeteer-core')
const { execFileSync } = require('node:child_process')
const { createInterface } = require('node:readline')

const AsyncFunction = (async () => {}).constructor

// until polls: a condition is waited for, never a time.
async function until(fn) {
  for (let end = Date.now() + 20e3; Date.now() < end; await new Promise((done) => setTimeout(done, 20))) {
    const value = await fn()
    if (value) return value
  }
  throw new Error('waited for 20 s: ' + fn)
}

async function run(browser, { id, code, arg }) {
  const context = await browser.createBrowserContext()
  let answer
  try {
    const page = await context.newPage()
    const value = await new AsyncFunction('browser', 'context', 'page', 'arg', 'until', code)(browser, context, page, arg, until)
    answer = { id, value: value ?? null }
  } catch (err) {
    answer = { id, error: String(err.stack) }
  }
  // The context stays: with it would go what is still being sent.
  for (const open of (await context.pages()).reverse()) await open.close() // the newest first, so that none is shown by it
  console.log(JSON.stringify(answer))
}

async function main([program, address]) {
  const version = execFileSync(program, ['--version'], { encoding: 'utf8' }).match(/\d+/)[0]
  const browser = await puppeteer.launch({
    executablePath: program,
    pipe: true,
    // Puppeteer switches the back/forward cache off.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    // Of itself it names itself HeadlessChrome, and tells pages by navigator.webdriver that it is driven: both are signs of a bot.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-blink-features=AutomationControlled',
      `--host-resolver-rules=MAP *.example ${address}`,
      `--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.0.0 Safari/537.36`],
  })
  console.log(JSON.stringify({ id: 0, value: await browser.version() }))
  const running = []
  for await (const line of createInterface({ input: process.stdin })) running.push(run(browser, JSON.parse(line)))
  await Promise.all(running)
  await browser.close()
}

main(process.argv.slice(2)).catch((err) => {
  console.error(err)
  process.exit(1)
})
