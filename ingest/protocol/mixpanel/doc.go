// Package mixpanel is the protocol of Mixpanel's trackers: /track, /import, and /engage and
// /groups, which are answered. Package openpanel has POST /track too, and claims its own.
//
// Events are an object or a list of them, as JSON or as JSON in base64: in the parameter data of a
// query or a form, or as the body itself.
//
//	{"event":"Signed Up","properties":{"token":"TOKEN","$current_url":"https://shop.example/"}}
//
// The site is the one that has token as a token, otherwise the one of the host of $current_url.
//
// What becomes of an event, by its name:
//
//	$mp_web_page_view, mp_page_view    a view of a page
//	$mp_page_leave, $ae_session        a ping: it lengthens the visit and counts as nothing. How far
//	                                   the page was scrolled is $max_scroll_percentage
//	$identify, $create_alias, $merge   nothing: they say who the visitor is, and that is not kept yet
//	$session_start, $session_end,      nothing: they are about visits and recordings, and sent beside
//	$ae_first_open, $mp_session_record what they stand for
//	$experiment_started                an event that is no sign of the visitor's doing
//	any other                          the event of that name
//
// $insert_id is the id of the event, $current_url and $referrer are columns, and so are
// $screen_width with $screen_height; current_page_title is the property title. Revenue with
// currency, or else the currency of the site, is the revenue; where there is neither it is a
// property. All else is a property by its own name: objects in it by keys with dots, lists as JSON,
// and those that begin with "$" after the others, of which there may be more than fit.
//
// Of trusted callers time (in seconds or milliseconds) and ip are taken, of others passed over. The
// events of /import have happened before, so that it is theirs alone, and needs a time that is one;
// there one event that can't be taken is the end of the request, elsewhere it is left out unless
// there is no other.
//
// The client is $device_id, or else distinct_id. Passed over are $user_id; what the engine finds
// out from the user agent, or the page says itself, such as the parameters utm_…, which
// mixpanel-browser sends along long after the page that had them; and all that /engage and /groups
// say of people and groups.
//
// A request without a user agent, or of another library than that of pages (mp_lib), is a server's
// or an app's, whose user agent is not a browser's. One for a page that is rendered ahead does not
// count: mixpanel-browser knows nothing of such pages.
//
// Accepted is 200 with 1, or with {"error":null,"status":1} where verbose=1 asks for that; /import
// with strict=1 or a body that is JSON has {"code":200,"num_records_imported":N,"status":"OK"}.
// Refused is {"code":400,"error":"…","status":0}. mixpanel-browser sends again at 429 and 5xx, and
// halves its batches at 413; a mistake of ours (500) is 400 therefore. mixpanel (node) never does.
//
// The sources are Mixpanel's reference of its ingestion API, and what mixpanel 0.24.0 and
// mixpanel-browser 2.83.0 were recorded to send.
package mixpanel
