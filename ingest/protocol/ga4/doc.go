// Package ga4 is the protocol of Google Analytics 4: of gtag.js and libraries like it (GET and POST
// /g/collect), and the Measurement Protocol of servers (POST /mp/collect, and its twin
// /debug/mp/collect).
//
// # The tag
//
// The parameters of /g/collect are in the query. Of several events the query has what they share,
// and each line of the body what is one event's own; a line is a form. A query with a name (en) is
// an event of its own besides. A line without a name, or of a page that is no site's, is left out.
//
//	POST /g/collect?v=2&tid=G-AB12&dl=https%3A%2F%2Fshop.example%2F&sr=1280x720&ul=de
//
//	en=page_view&dt=Home
//	en=purchase&cu=EUR&epn.value=30.5&pr1=ids1~nmLamp~pr30.5~qt1
//
// Read are tid, dl (or dh with dp), dr unless ir, dt, ul, sr, en, _et, cu, cs cm cn ck ct cc, pr1
// to pr200, ep.NAME, epn.NAME, up.NAME, upn.NAME, and _uip of trusted callers.
//
// # The Measurement Protocol
//
// The query has measurement_id or firebase_app_id, the body is a JSON object with at most 25
// events. Read are events, user_properties, device.language and device.screen_resolution, and of
// trusted callers timestamp_micros (of the request, an event or its params), ip_override and
// user_agent. Whoever calls, it is a server: its user agent is not the visitor's and says nothing
// of bots.
//
// # What events become
//
// The site is the one whose token the id is, else the one of the page's host. page_view is a view
// of a page. user_engagement is a ping. session_start, first_visit and first_open are left out:
// Google makes them of the first event of a visit or a visitor, and they would count that twice.
// All else is an event by its name, scroll and click too; "pageview", which is no view to Google,
// is "event" with the property name. Parameters and properties of the user
// become properties under their names, the title "title". value with currency is revenue, that of a
// refund negative, but at the steps towards a purchase (add_to_cart and so on), where it is a
// property. Items are kept as the property quantity, and item_id and item_name where there is one;
// a purchase without value has the sum of its items.
//
// The client is cid, or client_id (or app_instance_id). Gcs, or else gcd, says
// whether the visitor objects to analytics (denied).
//
// Passed over are the ids of users and visits (uid, sid, user_id, session_id); consent to
// advertisements (npa, consent, the rest of gcs and gcd); counters and
// client hints; the time in use that another event than user_engagement has; user_location, and
// device but for its language and screen; api_secret, unless it is a write key.
//
// No event has an id. What a browser sends again is known by its content, as with any page's.
//
// # Answers
//
// Accepted is 204 without a body, as at Google. Refused is what is no event, or has no site: the
// status of the Refusal with {"error":"..."}. Google answers 2xx to that too, but what has a 2xx
// here is stored. No client sends again. The twin answers 200 with {"validationMessages":[...]} by
// Google's rules and stores nothing; that no site would have the events is a message too.
//
// The sources are Google's reference of the Measurement Protocol, which is public; d8a's reference
// of /g/collect, which is not described by Google; and what @analytics-debugger/ga4mp 0.0.8,
// @minimal-analytics/ga4 1.8.7 and electron-google-analytics4 1.2.1 were recorded to send.
package ga4
