// Package goatcounter is the protocol of GoatCounter's script and image, /count, and of its API for
// servers, POST /api/v0/count.
//
// At /count all is in the query, of a POST by sendBeacon as of a GET by an image:
//
//	/count?p=%2F1&t=Shop%20page&r=https%3A%2F%2Fwww.google.com%2F&s=1280&b=0&q=%3Futm_source%3Dnews&rnd=55ezc
//
//	p    the path of the page, or the name of an event
//	e    true: it is an event
//	t    the property title
//	r    the referrer
//	s    the width of the screen; of older scripts width,height,scale
//	q    the query of the page, where p has none
//	b    from 150 on: a program steers the browser, and it is a bot
//
// Nothing of it names a site. It is the one that has the host which the request is sent to as a
// token, as GoatCounter itself has it (shop.goatcounter.com); otherwise the one of the page's host,
// which browsers name in Origin and Referer, and which is the host of the address. The page of an
// event is the Referer where that names one, which browsers tell servers of the page's own origin
// alone.
//
// The body of the API is {"hits":[{…}]} of at most 500, with path, title, event, ref, size, query
// and bot as above, and created_at, ip, user_agent, language and session, which is the visitor's
// name. It is for trusted callers alone. Its site is the one of the host that the request is sent
// to, otherwise the one that the write key is for. One hit that can't be taken is the end of all.
//
// Passed over are ns and no_sessions (all hits have visits), filter, location (it is found by ip),
// and all that is not named here. The protocol has no ids of events; rnd makes each view another
// one, so that only what the browser sends again by itself is known.
//
// Accepted is 200 with an image, by the API 202 with {"status":"ok"}. Refused is the status of the
// Refusal with {"error":"…"}. The script looks at no status and never sends again; where
// sendBeacon does not take the request it fetches the address as an image, once.
//
// The script waits until the page is shown, so that a request with rnd counts although the browser
// says that the page is rendered ahead; an image without it does not.
//
// The sources are GoatCounter's code and manual (public/count.js, handlers, tpl/help/pixel.md, of
// 2026-08-21, and older scripts to count.v1.js), and what count.js of that day was recorded to send
// in Chromium 156. No package of npm has it; the tests of the clients take it from the Go module.
package goatcounter
