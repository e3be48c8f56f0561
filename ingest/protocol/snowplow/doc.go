// Package snowplow is the protocol of Snowplow's trackers: POST /com.snowplowanalytics.snowplow/tp2
// and GET /i, which package countly has too, with app_key.
//
// A body is {"schema":"…payload_data…","data":[{…},…]}, an event each, all of whose values are
// texts; GET /i has the same fields of one event in its query, and is the pixel of a page without a
// script too. The site is the one that has aid as a token, otherwise the one of the page's host. A
// page that is not named is the Referer, as at Snowplow.
//
// What becomes of an event, by its kind (e):
//
//	pv  a view of a page
//	pp  a ping: it lengthens the visit and counts as nothing. How far the page was scrolled is
//	    what of its height (ds) was seen (pp_may and the height of vp)
//	se  the event that se_ac names, with the properties se_category, se_label, se_property, se_value
//	ue  the event that its schema names, iglu:VENDOR/NAME/FORMAT/VERSION, with the properties that
//	    its data have; those of objects in them are called a.b
//	tr  the event "transaction", with the revenue tr_tt in tr_cu, or else the currency of the site;
//	    where there is neither it is the property tr_total. The other properties are tr_orderid,
//	    tr_affiliation, tr_tax, tr_shipping, tr_city, tr_state, tr_country
//	ti  the event "transaction_item", which is no sign of the visitor's doing: its transaction is.
//	    Its properties are ti_orderid, ti_sku, ti_name, ti_category, ti_price, ti_quantity and
//	    ti_currency
//
// Of entities (co, cx) those of a vendor of one's own are properties, NAME.KEY; of Snowplow's own
// and of org.… and com.google.… only those of its plugin for shops are, of whose actions a
// transaction has its revenue, and a refund a negative one. Of equal ones the first counts. A
// self-describing event of the plugin for media whose name is ping_event is a ping; web_vitals,
// application_error and timing are no sign of the visitor's doing.
//
// Read are besides eid, which is the id of the event, url, refr, page (the property title), res (or
// else vp), lang, p (the property platform, unless it is web), and of trusted callers ua, ip, ttm,
// and stm and dtm, of which the time between them goes back from now.
//
// The client is duid, nuid or uid, the first that there is. The header SP-Anonymous says that the
// visitor objects to being recognised by it. Passed over are the ids of visits (sid, vid). No cookie
// is set.
//
// A request whose tracker (tv) is not the one of pages (js-…, no-js-…) is a server's or an app's,
// whose user agent is not a browser's. One for a page that is rendered ahead does not count: the
// tracker sends then, and not again.
//
// Accepted is 200 with "ok", at /i with an image. Refused for ever is 400 (or 401, 403, 405), the
// statuses at which no tracker sends again: 413 and 500 would have browser-tracker send the same
// for ever, so these are 400 too. 429 and 503 have it come again with the same eid; node-tracker
// leaves that to its caller. An event of a batch that can't be taken is left out, unless there is
// no other.
//
// The sources are Snowplow's documentation of the tracker protocol and the payload_data schema, and
// what @snowplow/node-tracker 4.8.0 and browser-tracker 4.10.1 were recorded to send. Payloads of
// Thrift, redirects (/r/tp2) and paths of an operator's own are not read.
package snowplow
