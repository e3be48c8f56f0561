// Package amplitude is the protocol of Amplitude's trackers: POST /2/httpapi, and /batch, which
// package ua has too: a body there that begins as a JSON object does is Amplitude's.
//
//	{"api_key":"KEY","events":[{"event_type":"Signed Up","event_properties":{"plan":"pro"}}]}
//
// The site is the one that has api_key as a token, otherwise the one of the page's host.
//
// What becomes of an event, by its type:
//
//	[Amplitude] Page Viewed         a view of a page
//	session_start, session_end,     nothing: the trackers send them beside what they stand for, and
//	$identify, $groupidentify,      who the visitor is is not kept yet, nor are recordings
//	[Amplitude] Replay Captured
//	[Amplitude] Viewport Content    a ping: it lengthens the visit and counts as nothing; so is
//	Updated                         Application Backgrounded. Trackers send them when a page or an
//	                                app is left
//	[Amplitude] Web Vitals,         an event that is no sign of the visitor's doing; so are Network
//	$exposure, …                    Request, Error Logged and Main Thread Block
//	any other                       the event of that name
//
// Insert_id is the id of the event. Of event_properties "[Amplitude] Page Location" (or "Page URL")
// is the page, "[Amplitude] Previous Page Location" (or else referrer) the referrer, "[Amplitude]
// Page Title" the property title. Revenue, or price times quantity, in currency or else the
// currency of the site, is the revenue, and so are $revenue, $price, $quantity and $currency of
// event_properties; where there is no currency these are properties. All other event_properties are
// properties by their own names, those of "[Amplitude] …" after the others, of which there may be
// more than fit; then groups, user_properties that are no operations, app_version, and platform
// unless it is Web.
//
// Of trusted callers time (ms), ip and user_agent are taken, of others passed over.
//
// The client is device_id, or else user_id. Passed over are session_id, what there is of the
// visitor's device and his place, and the parameters utm_… of what has a page, which says them
// itself.
//
// A request of another library than those of pages (amplitude-ts/…, amplitude-js/…) that no page
// makes is a server's or an app's, whose user agent is not a browser's. One for a page that is
// rendered ahead does not count: the tracker knows nothing of such pages.
//
// Accepted is 200 with
// {"code":200,"events_ingested":1,"payload_size_bytes":1,"server_upload_time":1}. Refused is
// {"code":400,"error":"…","missing_field":"…"}. The trackers send all events again at a 400 that
// names no missing field, so that each does; a mistake of ours (500) is such a 400 too. At 413 they
// halve the batch, and let go of one event that is too large; at 429 and 503 they send again with
// the same ids. An event that can't be taken is left out, unless there is no other.
//
// The sources are Amplitude's reference of its HTTP V2 API, and what @amplitude/analytics-node
// 1.5.73 and analytics-browser 2.48.1 were recorded to send, and to do with each answer.
package amplitude
