// Package segment is the protocol of Segment's and RudderStack's libraries: analytics.js, and those
// of servers and apps.
//
// A body is a message, {"type":"track","event":"…","properties":{…},"context":{…}}, at the path of
// its type (/v1/track, or short /v1/t), or {"batch":[…]} of such at /v1/batch, /v1/b, /v1/import and
// /beacon/v1/batch. Gzip is known by its first bytes: RudderStack's node library calls it a form.
// The site is the one that has the write key as a token, which is the user of the header
// Authorization (Basic), or writeKey in the body or the query; otherwise the one of the page's host.
// The write key is Segment's, and none of this installation: it makes nobody trusted.
//
// What becomes of a message, by its type:
//
//	page      a view of a page, with the properties name, category and title
//	track     the event that event names; "pageview" is no view to Segment, and becomes "event" with
//	          the property name. Those that libraries send by themselves are pings, which lengthen
//	          the visit and count as nothing: "Video Content Playing" and "Video Ad Playing" of the
//	          specification of videos, "Application Backgrounded", and RudderStack's "Page Unloaded"
//	screen    the event "screen" with the property name: there is no page of an app
//	identify, group, alias, merge
//	          nothing: they say who the visitor is, and that is not kept yet
//
// The page is properties.url of a page, and context.page.url; with it go referrer, title, campaign,
// screen and locale of the context. MessageId is the id of the event. What properties hold are
// properties: objects in them by keys with dots, lists as JSON.
//
// Revenue is, by Segment's specification of e-commerce, properties.revenue; of an order that is
// completed or refunded else total, else value, and a refund is negative. It is in currency, or in
// that of the site; without one it is a property. Before an order is completed nothing is earned: at
// steps such as Checkout Started it is a property too.
//
// Timestamp, context.ip and context.userAgent are taken of trusted callers and otherwise passed
// over: every library sends a timestamp. A request that no page has made is a server's or an app's,
// whose user agent says nothing about bots.
//
// The client is anonymousId, or else userId; traits and context.sessionId are passed over.
//
// /v1/m are measurements that analytics.js takes of itself; they are answered and passed over. /sourceConfig/ answers
// RudderStack's analytics.js with settings in which nothing else gets its events, and
// /v1/projects/KEY/settings Segment's, if its cdnURL is Millrace.
//
// A message that is none or has no site is left out; a request in which all are so is refused.
//
// Accepted is 200 with {"success":true}. Refused is {"error":"…"}; 429 and 503 are sent again by
// all of them with the same messageId, 4xx are not. Where HTTP has 500, at which all send again, it
// is 400. Customer.io's library for pages is made of an older analytics.js: it looks at no status, and
// is known by having no header Authorization.
//
// A page that is prerendered does not count: both send its view at once.
//
// The messages are read by protocol.Messages, because Jitsu's trackers send such too.
//
// The sources are Segment's specification of its HTTP API and of e-commerce, and what
// @segment/analytics-node 3.1.0, analytics-node 6.2.0, @segment/analytics-next 1.84.3,
// @rudderstack/rudder-sdk-node 3.0.13, @rudderstack/analytics-js 3.34.1 and
// @customerio/cdp-analytics-browser 0.5.11 were recorded to send.
package segment
