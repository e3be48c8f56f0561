// Package matomo is the protocol of Matomo's trackers (formerly Piwik): matomo.php and piwik.php.
//
// A request is one hit, whose parameters are in the query, in a form, or in both, where the query
// goes first; or it is a bulk, {"requests":["?idsite=1&rec=1&url=…",…]}, which is known by its
// content, since the script sends it as a form. Each hit needs rec=1, without which it is answered
// and no event. The site is the one that has idsite as a token, and otherwise the one of the
// page's host.
//
// What a hit becomes, the first that fits:
//
//	ping=1              a ping: it lengthens the visit and counts as nothing; so is what the plugins
//	                    for media (ma_…), forms (fa_…) and heatmaps (hsr_…) report
//	idgoal=N            "goal N"
//	idgoal=0            "ecommerce order" with ec_id, otherwise "ecommerce cart update"
//	e_c and e_a         the event that e_a names
//	c_n                 "content interaction" with c_i, otherwise "content impression", which is
//	                    no sign of the visitor's doing
//	download, link      "download", "outlink"
//	search              "search"
//	ca=1                a ping: it is of a plugin that is not known here, and no view, says the script
//	otherwise           a view of a page
//
// Url, urlref, res and lang are columns; without url and urlref the page is the one of the header
// Referer, for images in pages without scripts. Revenue of a goal or an order is the revenue, in
// the site's currency; without one, and of a cart, it is a property. Action_name is the property
// "title", custom variables (cvar, e_cvar, _cvar) are properties by their names, and these by their
// own: e_c, e_n, e_v, ec_id, ec_st, ec_tx, ec_sh, ec_dt, ec_items, c_n, c_p, c_t, c_i, download,
// link, search, search_cat, search_count, _pks, _pkn, _pkc, _pkp and dimensionN.
//
// Cip, cdt and ua are taken of trusted callers only. Of pages they are passed over, and so are ua
// and a cdt of the last 24 hours of all others: apps send it with each hit. Servers are refused
// with cip and an older cdt, which would count visitors and days wrong.
//
// The client is cid, _id or uid, the first that there is.
//
// Passed over are: pv_id, which
// is one of a page and not of an event; token_auth, unless it is a write key; load times
// (pf_…), of which each would be a row of its own; attribution (_rcn, _rck, _ref, _refts), which
// the engine finds out itself; client hints, plugins, clocks and random numbers; cdo of the
// script's offline queue, whose hits count when they arrive; and all that is not named here.
//
// A hit of the script, which has the parameters r, h, m, s and _id, gets an id made of all that it
// holds: its offline queue sends again later, and what it posts by XMLHttpRequest (which it does
// where disableAlwaysUseSendBeacon and setRequestMethod say so) comes once more as an image after
// any answer but a 2xx, and after none. By default it sends beacons, and looks at no answer.
//
// Accepted is 200 with an image, or 204 with send_image=0; a bulk gets 200 with
// {"status":"success","tracked":N,"invalid":N}, or 204. Hits of a bulk that can't be taken are its
// invalid ones; only if there is no other the bulk is refused. Refused is the status of the Refusal
// with {"status":"error","message":"…"}. A request without any parameters is a monitor's, and gets
// a line of text by GET and 400 by POST.
//
// A page that is prerendered does not count: the script sends its view at once.
//
// The sources are Matomo's tracking API and the code that implements it (core/Tracker,
// plugins/BulkTracking, js/piwik.js, offline-service-worker.js), and what matomo-tracker 2.2.4 and
// the script (matomo.js of 5.2.0-b5 in Chromium 156) were recorded to send. The script is in no
// registry of packages, so that the tests of the clients do not have it.
package matomo
