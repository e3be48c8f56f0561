// Package umami is the protocol of Umami's tracker and of its API for events: POST /api/send and
// POST /api/batch.
//
// A body is {"type":"event","payload":{…}}; a batch is a list of such. The site is the one that has
// website (or link, or pixel) as a token, and otherwise the one of the page's host.
//
// What becomes of it, by its type:
//
//	event        the event that name names; without one a view of a page
//	performance  the event "performance", which is no sign of the visitor's doing, with the
//	             properties lcp, inp, cls, fcp, ttfb and duration
//	engagement   a ping: it lengthens the visit by engagement milliseconds and counts as nothing
//	identify     nothing: it says who the visitor is, and that is not kept yet
//
// Url (a path, or an address), hostname, referrer, language and screen are columns; a path without
// hostname is one of the site's. The fragment is part of the page, as Umami has it. Title and tag
// are properties, and so is what data holds: objects in it by keys with dots, lists as JSON. The
// scripts of Umami 2.10 to 2.15 escape title, url and referrer, which is undone.
// Revenue and currency in data are the revenue, if both are there.
//
// Timestamp, ip and userAgent are taken of trusted callers only. Of pages they are passed over, and so
// are userAgent and a timestamp of the last 24 hours of all others. Servers are refused with ip and an
// older timestamp, which would count visitors and days wrong.
//
// Passed over are: vid; the visitor's id where the site is cookieless; browser, os and device,
// which the engine finds out from the user agent; and all that is not named here. The protocol has
// no ids of events.
//
// Accepted is 200 with {"cache":"…","sessionId":"…","visitId":"…"}: the script reads cache, sends
// it along as x-umami-cache from then on, and does nothing else with it. A batch gets
// {"size":N,"processed":N,"errors":N,"details":[…],"cache":"…"}; it is refused only if none of it
// can be taken. Refused is the status of the Refusal with {"error":{"message":"…","code":"…",
// "status":400}}. No client of it sends again at any status.
//
// A page that is prerendered does not count: the script sends its view at once.
//
// The sources are Umami's code (src/tracker of all versions since 1.40, src/app/api/send,
// src/app/api/batch, of 3.1) and what @umami/node 0.4.0 and the scripts of 2.10.0, 2.15.1 and 3.1
// were recorded to send in Chromium 156. Of these npm has that of 2.10.0.
package umami
