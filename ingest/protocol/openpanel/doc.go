// Package openpanel is the protocol of OpenPanel's trackers: POST /track, which package mixpanel has
// too. A request with the header openpanel-client-id, which all of them send, is OpenPanel's; so is
// one whose body begins as {"type":…} does.
//
//	{"type":"track","payload":{"name":"signup","properties":{"plan":"pro","__path":"https://shop.example/"}}}
//
// The site is the one that has the client's id as a token, otherwise the one of the host of __path,
// or else of the page that sends (Origin). A client secret is none of this installation: it makes
// nobody trusted.
//
// What becomes of a request, by its type:
//
//	track      "screen_view" of a page (__path is an address, or a path and a page sends) is a view;
//	           without a page it is the event of that name with the property path. Any other name is
//	           the event of that name; "pageview", which is no view to OpenPanel, is "event" with the
//	           property name
//	identify, group, assign_group, increment, decrement, alias, replay
//	           nothing: they are about people, groups and recordings. They are answered
//
// Of properties __path is the page and __referrer the referrer; __title is the property title.
// __revenue is the revenue, as it is, in the currency of the property currency, or else the
// site's; where there is neither it is the property revenue. Other properties are properties: objects in them
// by keys with dots, lists as JSON; those of two underscores are OpenPanel's own and passed over.
// @openpanel/web sends what is tracked before the first view with an empty __path; such an event
// has no page.
//
// There are no ids: an event that is sent again after an answer got lost counts again, but for what a
// browser repeats by itself. Of trusted callers the headers x-client-ip and user-agent are the
// visitor's, and __timestamp and payload.timestamp are when it was; of others they are passed over,
// and a request that no page has made is a server's, whose user agent says nothing about bots.
// A page that is rendered ahead does not count: the tracker sends at once. The
// client is profileId, which a page sets by identify; groups and __deviceId are passed over.
//
// Accepted is 200 with {}: a sessionId in the answer would make the tracker send recordings of the
// screen, which are not kept. What @openpanel/sdk 1.3.1 does:
//
//	200, 202 with JSON or without a body     success
//	401                                      final: nothing is thrown or logged
//	anything else, also 204 and 400, a body  sent again after 0.5, 1.5 and 3.5 s, then logged;
//	that is no JSON, no answer               nothing is thrown
//
// So refused for ever is 401 with {"error":"…"}, whatever it is for: it is the one status at which the tracker
// neither takes it for stored nor sends three times more what will not be taken. 429 and 503 are
// themselves, and sent again.
//
// The sources are OpenPanel's documentation of its track API, and what @openpanel/sdk 1.3.1 and
// @openpanel/web 1.4.1 were recorded to send in node and in Chromium.
package openpanel
