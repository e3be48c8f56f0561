// Package chromium runs a headless Chromium for tests of what pages do.
//
// In go a copy of node/ in which npm ci has been run, the address of a server, and code in
// JavaScript; out come the values that the code returns. The system's chromium and node are used.
//
//	b, err := chromium.Start(folder, "127.0.0.1:8000") // to which all hosts under example lead
//	value, err := b.Run(ctx, `
//		await page.goto('http://shop.example/')
//		return await page.title()`, nil)
//	err = b.Close()
//
// Each Run has a browser context of its own, so that runs share no storage, and runs may overlap.
// What code has is in node/drive.cjs.
//
// Tests find the folder in the variable Variable; .ci/run makes it.
package chromium
