// Package countly is the protocol of Countly's SDKs: GET and POST /i, /i/bulk and /o/sdk. Package
// snowplow has GET /i too; with app_key in its query it is Countly's, and so is every POST.
//
// A request is a form, in the query or the body: app_key, device_id, and what it is about. The site
// is the one that has app_key as a token, otherwise the one of the page's host (domain of a view), or
// of the page that sends (Origin). Requests of /i/bulk are a list of such as JSON, in requests.
//
// What becomes of a request, by what it has:
//
//	events            a list of events, as JSON: see below
//	session_duration  a ping: it lengthens the visit, and counts as nothing; so does end_session
//	crash             the event "crash" with the properties error (its first line), nonfatal, view,
//	                  and those of _custom. It is no sign of the visitor's doing
//	begin_session, metrics, user_details, old_device_id, consent, location, campaign_id, apm, hc, …
//	                  nothing: they are answered
//
// The client is device_id. And of an event, by its key:
//
//	[CLY]_view        with visit a view of a page, which is view, under domain; with dur a ping, with
//	                  that time in use. No page has one of an SDK that is not of pages: it is the
//	                  event "screen" with the property name
//	[CLY]_action      a scroll is a ping with the depth; a click is passed over, and so are
//	                  [CLY]_orientation and [CLY]_consent
//	any other         the event of that key; "pageview", which is no view to Countly, is "event" with the
//	                  property name
//
// Of segmentation referrer is the referrer, and utm_… of a view are the campaign: view is a path and
// has no query. What else is in it are properties, lists as JSON; name is one unless it is the path.
// Sum is the revenue, in the currency that segmentation has (currency), or else the site's; where
// there is neither it is the property sum. Count, unless it is 1, and dur (s) are properties.
//
// Id of an event is its id. Countly-sdk-web gives a view and the report of how long it was open one
// id, so that pings have none. An event without one (of countly-sdk-nodejs) gets one that is made of
// all that its request says, if there is a time in milliseconds in it: an SDK sends the same again,
// and never makes two that are the same.
//
// Of trusted callers timestamp, ip_address and metrics._ua are taken, of others passed over. A
// request that no page has made is a server's or an app's, whose user agent says nothing about bots. A
// page that is rendered ahead does not count: countly-sdk-web looks for a state that browsers
// have no more. Device_id and user_details identify nobody yet.
//
// /o/sdk answers {}: the SDKs then keep their own settings, and there is nothing to show.
//
// Accepted is 200 with {"result":"Success"}. What countly-sdk-nodejs 24.10.4 and countly-sdk-web
// 26.1.1 do:
//
//	2xx with JSON that has a result   success
//	anything else, also 204 and 400,  the queue stops, and the same request is sent again after 60 s
//	no answer                         (fail_timeout), without end; what comes after it waits
//
// So there is no status at which they give up, and a request that can never be taken would hold up
// all that come after it, a thousand (queue_size) before it is pushed out. It is therefore answered
// with 200 and {"result":"Refused","error":"…"}, counted as refused. A site that is not configured,
// or a key, is 400 with {"result":"…"}, as with Countly: nothing is lost once that is mended.
//
// The sources are Countly's reference of its write API, and what countly-sdk-nodejs 24.10.4 and
// countly-sdk-web 26.1.1 were recorded to send in node and in Chromium.
package countly
