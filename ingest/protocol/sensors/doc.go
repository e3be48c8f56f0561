// Package sensors is the protocol of Sensors Analytics' library for pages (sa-sdk-javascript): /sa.gif
// and /sa.
//
// One event is data, a list of them (batch_send) data_list: JSON in base64, in the query of an image or
// in a form, whose type the library does not always name. Beside it stand ext, a checksum, and in the
// query what the address of the server was given: project and token.
//
//	/sa.gif?project=shop&data=eyJ0eXBlIjoidHJhY2siLCJldmVudCI6Ii…&ext=crc%3D-845851845
//	{"type":"track","event":"$pageview","time":1796017908385,"_track_id":754258389,
//	 "anonymous_id":"1a22…","distinct_id":"1a22…","properties":{"$url":"https://shop.example/p",…}}
//
// The site is the one that has token, or else project, as a token, and otherwise the one of the host
// of $url, or of the page that the browser names.
//
// What becomes of an event of the type "track", by its name:
//
//	$pageview                  a view of a page
//	$WebStay, $WebPageLeave    a ping: it lengthens the visit by event_duration seconds and counts as
//	                           nothing
//	any other of $             an event that is no sign of the visitor's doing ($WebClick is sent
//	                           for each click), with $element_type, $element_id, $element_name,
//	                           $element_class_name, $element_target_url and $element_content
//	any other                  the event of that name
//
// Of the other types (track_signup, profile_set_once and so on) nothing is kept: they say who the
// visitor is.
//
// $url, $referrer, $screen_width with $screen_height are columns; $title is the property title. The
// library has words in Chinese for an address that it can't read, which is none. Revenue with
// currency, or else the currency of the site, is the revenue. All other properties without a "$" are
// properties by their own names: objects in them by keys with dots, lists as JSON.
//
// Time and $ip are taken of trusted callers, of others passed over. The client is anonymous_id, or
// else distinct_id. The id is a hash of these, of time and of _track_id: what is sent again has the
// same. Passed over are what the engine finds out itself ($latest_…, $utm_…, $is_first_…, $lib…), and
// all that is not named here.
//
// Accepted is an image by GET and {} by POST, both with 200. At all else the library sends a list again
// after 6 seconds, and without end; so a list that can't be taken by any server like this is 200 with
// {"error":"…"}, and 400 is what has no site until it has one. Nobody looks at an answer to data.
//
// A page that is rendered ahead does not count: the library sends its view at once.
//
// It does not take: lists packed with gzip (gzip=1), which apps and servers send. They are 400.
//
// The sources are what sa-sdk-javascript 1.27.11 was recorded to send in Chromium 156, and its code.
package sensors
