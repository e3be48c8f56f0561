// Package posthog is the protocol of PostHog's libraries: posthog-js and those of servers and apps.
//
// A body is an event, a list of events, or {"api_key":"…","batch":[…]}; an event is
// {"event":"…","uuid":"…","properties":{…}}. It is read by its content: gzip is known by its first
// bytes, which is all that posthog-js says of it, and a form data=… is base64 of the body. The site
// is the one that has the project's key (api_key, token) as a token, and otherwise the one of the
// host of $current_url.
//
// What becomes of an event, by its name:
//
//	$pageview   a view of a page
//	$pageleave  a ping: it lengthens the visit and counts as nothing; $prev_pageview_duration and
//	            $prev_pageview_max_content_percentage are its time in use and how far was scrolled
//	Application Backgrounded
//	            a ping too, of an app that is left
//	$identify, $create_alias, $groupidentify and others of passedOver
//	            nothing: they are about people, flags and recordings
//	$screen     an event of that name with the property $screen_name: there is no page of an app
//	other $…    an event of that name which is no sign of the visitor's doing, so that a click that
//	            $autocapture saw makes no bounce less; kept of it are the properties of kept
//	survey shown
//	            no sign of the visitor's doing either
//	any other   an event of that name; "pageview", which is no view to PostHog, is "event" with the
//	            property name
//
// $current_url, $referrer, $browser_language (or $locale), $screen_width and $screen_height are
// columns, and uuid (or $insert_id) is the id of the event. Utm_… of servers and apps is the
// campaign; posthog-js sends it long after the page that had it. Revenue is the amount, in currency
// or in that of the site. Properties without a $ are properties: objects in them by keys with dots,
// lists as JSON. Those with a $ are PostHog's own, of which only the ones named here are read.
//
// Timestamp, $ip and $raw_user_agent (or $user_agent, $useragent) are taken of trusted callers and
// otherwise passed over: every client sends a timestamp. A request that no page has made is a
// server's or an app's, whose user agent says nothing about bots.
//
// The client is $device_id, which stays when a page says who the visitor is, or else distinct_id.
// $user_id, $groups and $session_id are passed over.
//
// An event without a name or a site is left out; a request in which all are so is refused.
//
// /array/TOKEN/config (and config.js), /flags/ and /decide/ answer with nothing switched on: no
// flags, surveys, recordings or heatmaps. So posthog-js takes its settings for read and goes on.
//
// Accepted is 200 with {"status":1}: posthog-js takes 202 and 204 for a loss and sends again.
// Refused is {"error":"…"}. What is to be sent again is 503, also where HTTP has 429, at which
// posthog-js does not; what is not is 4xx, also where HTTP has 500, at which all do. At 413
// posthog-node makes its batches smaller.
//
// A view that comes with the header of a page rendered ahead counts: posthog-js waits until the
// page is shown, and that request still has the header.
//
// The sources are PostHog's code (rust/capture, posthog-js) and what posthog-js 1.449.2 and
// posthog-node 5.70.0 were recorded to send. Compression by LZ strings, which posthog-js had until
// 2021, is not read.
package posthog
